//! A bounce that a person forwarded as text: where it begins, and what its own headers were (Outlook, Gmail, Apple
//! Mail, Thunderbird and their like, in the languages of their users).

/// What was forwarded.
pub(super) struct Forwarded {
    pub(super) from: String,
    pub(super) subject: String,
    pub(super) to: String,
    pub(super) body: String,
}

/// The words for "From", "Subject" and "To" above a forwarded text, in lower case.
const FROM: &[&str] = &[
    "from",
    "von",
    "de",
    "da",
    "van",
    "od",
    "от",
    "från",
    "fra",
    "lähettäjä",
    "差出人",
    "送信者",
    "发件人",
    "expéditeur",
    "mittente",
    "remitente",
    "kimden",
    "odesílatel",
    "feladó",
];
const SUBJECT: &[&str] = &[
    "subject",
    "betreff",
    "objet",
    "oggetto",
    "asunto",
    "assunto",
    "onderwerp",
    "temat",
    "тема",
    "ämne",
    "emne",
    "aihe",
    "件名",
    "主题",
    "konu",
    "předmět",
    "tárgy",
];
const TO: &[&str] = &[
    "to",
    "an",
    "à",
    "a",
    "para",
    "aan",
    "do",
    "кому",
    "till",
    "til",
    "vastaanottaja",
    "宛先",
    "收件人",
    "kime",
    "komu",
    "címzett",
    "pour",
    "destinatario",
];

/// Subjects of answers, in lower case: whoever answers speaks about a bounce.
const ANSWERS: &[&str] = &[
    "re:", "aw:", "sv:", "antw:", "odp:", "ynt:", "vs:", "re :", "回复:", "antwort:", "r:", "ref:", "res:",
    "re[", "回覆:",
];
/// Subjects of forwards, in lower case.
const FORWARDS: &[&str] = &[
    "fwd:",
    "fw:",
    "wg:",
    "tr:",
    "rv:",
    "i:",
    "enc:",
    "doorst:",
    "pd:",
    "vb:",
    "vl:",
    "转发:",
    "转发：",
    "fwd :",
    "tr :",
    "wtr:",
    "renv:",
    "reenv:",
    "encaminhada:",
    "weitergeleitet:",
    "ilt:",
    "vs:",
    "[fwd:",
    "転送:",
    "転送：",
];

/// Whether a subject is an answer's.
pub(super) fn is_answer(subject: &str) -> bool {
    let subject = subject.trim().to_lowercase();
    ANSWERS.iter().any(|prefix| subject.starts_with(prefix))
}

/// The subject without the prefixes of forwards; `None` where it has none.
pub(super) fn unforwarded(subject: &str) -> Option<String> {
    let mut rest = subject.trim();
    let mut any = false;
    'again: loop {
        let lower = rest.to_lowercase();
        for prefix in FORWARDS {
            if lower.starts_with(prefix) && rest.is_char_boundary(prefix.len()) {
                rest = rest[prefix.len()..].trim_start();
                any = true;
                continue 'again;
            }
        }
        return any.then(|| rest.to_owned());
    }
}

/// The first forwarded message in a text: its headers, and what follows them.
pub(super) fn find(text: &str) -> Option<Forwarded> {
    let lines: Vec<&str> = text.lines().take(2_000).collect();
    (0..lines.len()).find_map(|at| block(&lines, at))
}

/// A block of headers at a line, if one begins there.
fn block(lines: &[&str], start: usize) -> Option<Forwarded> {
    let (label, from) = labelled(lines[start])?;
    if !FROM.contains(&label.as_str()) {
        return None;
    }
    let mut found = Forwarded {
        from,
        subject: subject_above(lines, start).unwrap_or_default(),
        to: String::new(),
        body: String::new(),
    };
    let mut end = start + 1;
    let mut last = "from";
    for (at, line) in lines.iter().enumerate().skip(start + 1).take(14) {
        let bare = plain(line);
        if bare.is_empty() {
            // Some programs leave a line between each two headers.
            let goes_on =
                found.subject.is_empty() && lines.get(at + 1).is_some_and(|next| labelled(next).is_some());
            if goes_on {
                continue;
            }
            break;
        }
        match labelled(line) {
            Some((label, value)) if SUBJECT.contains(&label.as_str()) => {
                found.subject = value;
                last = "subject";
            }
            Some((label, value)) if TO.contains(&label.as_str()) && found.to.is_empty() => {
                found.to = value;
                last = "to";
            }
            Some(_) => last = "",
            // Long headers are wrapped.
            None if last == "subject" && at > start + 1 && !found.subject.is_empty() && bare.len() < 80 => {
                found.subject.push(' ');
                found.subject.push_str(&bare);
            }
            None => {}
        }
        end = at + 1;
    }
    if found.subject.is_empty() {
        return None;
    }
    found.body = body(&lines[end..]);
    Some(found)
}

/// The subject of a block that names it before the sender, as Thunderbird writes it.
fn subject_above(lines: &[&str], start: usize) -> Option<String> {
    let above = lines[..start].iter().rev().take(4);
    above
        .map_while(|line| labelled(line))
        .find(|(label, _)| SUBJECT.contains(&label.as_str()))
        .map(|(_, subject)| subject)
}

/// The lines without the marks of quoting, where most are quoted.
fn body(lines: &[&str]) -> String {
    let written = lines.iter().filter(|line| !line.trim().is_empty());
    let (all, quoted) = written.fold((0, 0), |(all, quoted), line| {
        (all + 1, quoted + usize::from(line.starts_with('>')))
    });
    let mut out = String::new();
    for line in lines {
        let line = if quoted * 2 > all { unquoted(line) } else { line };
        out.push_str(line);
        out.push('\n');
    }
    out
}

fn unquoted(line: &str) -> &str {
    let line = line.strip_prefix('>').unwrap_or(line);
    line.strip_prefix(' ').unwrap_or(line)
}

/// A line without quoting and emphasis.
fn plain(line: &str) -> String {
    line.trim_start_matches(['>', ' ', '|', '\t'])
        .replace('*', "")
        .trim()
        .to_owned()
}

/// A label in lower case and its value: `Von: Mail Delivery System`.
fn labelled(line: &str) -> Option<(String, String)> {
    let line = plain(line);
    let (label, value) = line.split_once(':').or_else(|| line.split_once('：'))?;
    let label = label.trim();
    let short = !label.is_empty() && label.chars().count() <= 20 && !label.contains(['@', '<', '/', '.']);
    short.then(|| (label.to_lowercase(), value.trim().to_owned()))
}
