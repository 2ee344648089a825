use super::*;
use crate::testing::{START, pdf_pages};

fn document() -> Document {
    let about = About { title: "Receipt".into(), author: "Portico".into(), language: "en", created_at: START };
    Document::new(about).unwrap()
}

fn table(rows: usize) -> Table {
    let column = |name, share, is_amount| Column { name, share, is_amount };
    let row = |number| Row { cells: vec![format!("Row-{number}-of-it"), format!("{number}.00 EUR")], is_total: false };
    let total = Row { cells: vec!["Total".into(), "9999.00 EUR".into()], is_total: true };
    Table {
        title: "What it costs",
        columns: vec![column("For", 3.0, false), column("Amount", 1.0, true)],
        rows: (0..rows).map(row).chain([total]).collect(),
    }
}

/// Left and right edge of a text on the page that is written.
fn edges(document: &Document, wanted: &str) -> (f32, f32) {
    let found = document.pages.iter().flatten().find_map(|mark| match mark {
        Mark::Text { x, style, text, .. } if text == wanted => Some((*x, *x + document.fonts.width(*style, text))),
        _ => None,
    });
    found.unwrap()
}

#[test]
fn file_holds_the_words_of_many_alphabets() {
    let mut document = document();
    document.title("Zażółć Gęślą", "Receipt");
    document.facts(&[("For", "Łukasz Đorđević".into()), ("Place", "Αθήνα, Київ, Þórshöfn".into())]);
    let file = document.finish("Page by page").unwrap();
    assert!(file.starts_with(b"%PDF-"));
    let pages = pdf_pages(&file);
    assert_eq!(pages.len(), 1);
    for words in ["ZażółćGęślą", "Receipt", "ŁukaszĐorđević", "Αθήνα,Київ,Þórshöfn", "Page1of1"]
    {
        assert!(pages[0].contains(words), "{words}: {}", pages[0]);
    }
}

#[test]
fn same_content_gives_the_same_bytes() {
    let made = || {
        let mut document = document();
        document.title("Portico", "Receipt");
        document.table(&table(3));
        document.code("https://portico.example/reservations/1", "Open the pass").unwrap();
        document.finish("Receipt").unwrap()
    };
    assert!(made() == made());
}

#[test]
fn long_table_goes_on_on_the_next_pages_with_the_names_of_its_columns() {
    let mut document = document();
    document.title("Portico", "Receipt");
    document.table(&table(100));
    let pages = pdf_pages(&document.finish("Receipt").unwrap());
    assert!(pages.len() > 2, "{}", pages.len());
    for (index, page) in pages.iter().enumerate() {
        assert!(page.contains("Amount"), "page {index}");
        assert!(page.contains(&format!("Page{}of{}", index + 1, pages.len())), "page {index}");
    }
    for number in 0..100 {
        let row = format!("Row-{number}-of-it");
        assert_eq!(pages.iter().filter(|page| page.contains(&row)).count(), 1, "{row}");
    }
    assert!(pages.last().unwrap().contains("9999.00EUR"));
}

#[test]
fn nothing_stands_outside_of_the_margins() {
    let mut document = document();
    document.facts(&[("A label that is much longer than its column is wide", "x".repeat(300))]);
    document.table(&table(80));
    document.code(&format!("https://portico.example/{}", "a".repeat(200)), "Open it").unwrap();
    for mark in document.pages.iter().flatten() {
        let Mark::Text { x, y, style, text } = mark else { continue };
        let right = *x + document.fonts.width(*style, text);
        assert!(*x >= MARGIN - 0.1 && right <= WIDTH - MARGIN + 0.1 && *y <= BOTTOM, "{text}: {x} to {right}, {y}");
    }
}

#[test]
fn amounts_end_at_the_same_edge() {
    let mut document = document();
    document.table(&table(12));
    let [short, long, total] = ["1.00 EUR", "11.00 EUR", "9999.00 EUR"].map(|text| edges(&document, text));
    assert!((short.1 - long.1).abs() < 0.01 && (long.1 - total.1).abs() < 0.01, "{short:?} {long:?} {total:?}");
    assert!(short.0 > long.0 && long.0 > total.0);
}

#[test]
fn lines_are_broken_at_spaces_and_only_there_where_words_fit() {
    let document = document();
    let wrap = |text: &str, width| document.fonts.wrap(Style::BODY, text, width);
    assert_eq!(wrap("", 100.0), Vec::<String>::new());
    assert_eq!(wrap("one  two\nthree\t", 1_000.0), ["one two three"]);
    assert_eq!(wrap("one two three", 1.0).concat(), "onetwothree");
    let narrow = wrap("Mon 23 Nov 2026, 08:30\u{a0}–\u{a0}10:30", 110.0);
    assert_eq!(narrow.last().map(String::as_str), Some("08:30\u{a0}–\u{a0}10:30"), "{narrow:?}");
}

#[test]
fn code_is_drawn_whole_and_leads_to_its_address() {
    let mut document = document();
    document.code("https://portico.example/reservations/1", "Open the pass").unwrap();
    let areas = document.pages[0].iter().find_map(|mark| match mark {
        Mark::Areas(areas) => Some(areas.clone()),
        _ => None,
    });
    let areas = areas.unwrap();
    // The finder patterns of a code begin and end its first row: seven modules each.
    let first: Vec<_> = areas.iter().filter(|area| (area.y - MARGIN).abs() < 0.01).collect();
    let (begin, end) = (first[0], first[first.len() - 1]);
    assert!((begin.x - MARGIN).abs() < 0.01 && (begin.width - end.width).abs() < 0.01);
    assert!((end.x + end.width - MARGIN - CODE).abs() < 0.01);
    let leads = |mark: &Mark| matches!(mark, Mark::Link { address, .. } if address.ends_with("/reservations/1"));
    assert!(document.pages[0].iter().any(leads));
    assert!(pdf_pages(&document.finish("Receipt").unwrap())[0].contains("https://portico.example/reservations/1"));
    let mut long = self::document();
    assert_eq!(long.code(&"x".repeat(5_000), "Too long").unwrap_err().code(), "internal");
}
