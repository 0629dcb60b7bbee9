//! From verdicts to receivers, over a real database: whatever happens, nobody is told nothing, and nobody twice.

mod chaos;
mod history;
mod storm;
mod world;
