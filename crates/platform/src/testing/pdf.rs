//! What is written in a PDF.

use lopdf::Document;

/// The words of each page without any spaces: how far letters stand apart is the reader's guess.
///
/// # Panics
/// When it is no PDF.
#[must_use]
pub fn pdf_pages(file: &[u8]) -> Vec<String> {
    let document = Document::load_mem(file).unwrap();
    let pages = document.get_pages();
    let text = |page: &u32| document.extract_text(&[*page]).unwrap();
    pages.keys().map(|page| text(page).chars().filter(|letter| !letter.is_whitespace()).collect()).collect()
}
