//! The monitor against a simulated world: a clock, hosts with states, faults that come and go. No sockets, no
//! sleeping; a minute of watching takes a millisecond. What is asserted is what people see: which verdicts
//! appear, when, and that no other one appears on the way.

mod approval;
mod beside;
mod canaries;
mod case;
mod cases;
mod chaos;
mod coverage;
mod gateways;
mod policies;
mod providers;
mod reports;
mod routes;
mod scenarios;
mod sim;
mod steady;
mod traces;
mod zones;
