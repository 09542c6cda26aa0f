//! Outcomes for people.

use serde_json::Value;

use super::Outcome;
use super::compare::Difference;

/// A line for each test, its differences below, and how many there were.
pub(super) fn written(outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    for outcome in outcomes {
        if outcome.updated {
            out.push_str(&format!("new   {}  ({}:{})\n", outcome.name, outcome.file, outcome.line));
        } else if outcome.ok {
            out.push_str(&format!("ok    {}\n", outcome.name));
            continue;
        } else {
            out.push_str(&format!("FAIL  {}  ({}:{})\n", outcome.name, outcome.file, outcome.line));
        }
        let same_event = |left: &Difference, right: &Difference| {
            (&left.output, left.event) == (&right.output, right.event)
        };
        for differences in outcome.differences.chunk_by(same_event) {
            write_event(&mut out, differences);
        }
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.ok).count();
    out.push_str(&format!("\n{} ok, {failed} failed", outcomes.len() - failed));
    let updated = outcomes.iter().filter(|outcome| outcome.updated).count();
    if updated > 0 {
        out.push_str(&format!(", {updated} of them updated   (- was expected, + is expected now)"));
    }
    if failed > 0 {
        out.push_str("   (- is expected, + is found)");
    }
    out.push('\n');
    out
}

/// What differs in one event of one output.
fn write_event(out: &mut String, differences: &[Difference]) {
    let Some(Difference { output, event, what, expected, .. }) = differences.first() else { return };
    let fate = match (what.as_str(), expected) {
        ("event", Some(_)) => "is missing",
        ("event", None) => "is not expected",
        _ => "differs",
    };
    out.push_str(&format!("      {output}: event {event} {fate}\n"));
    for difference in differences {
        let Difference { what, expected, found, .. } = difference;
        for (sign, value) in [('-', expected), ('+', found)] {
            match value {
                Some(Value::Object(event)) if what == "event" => {
                    for (part, value) in event {
                        out.push_str(&format!("        {sign} {part} = {value}\n"));
                    }
                }
                Some(value) => out.push_str(&format!("        {sign} {what} = {value}\n")),
                None => {}
            }
        }
    }
}
