//! What kind of picture was uploaded, and how large it is: by its own bytes, whatever its sender called it.

use imagesize::ImageType;
use portico_platform::{Error, Result};

/// Largest side, pixels.
const MAX_SIDE: i64 = 20_000;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    pub media_type: &'static str,
    pub width: i64,
    pub height: i64,
}

/// # Errors
/// Invalid when it is no SVG, PNG, JPEG or WebP, or has no size.
pub fn inspect(bytes: &[u8]) -> Result<Picture> {
    let picture = bitmap(bytes).or_else(|| svg(bytes)).ok_or_else(|| {
        Error::field("picture", "This is no SVG, PNG, JPEG or WebP picture that has a size of its own.")
    })?;
    if picture.width > MAX_SIDE || picture.height > MAX_SIDE {
        return Err(Error::field("picture", format!("The picture has more than {MAX_SIDE} pixels on a side.")));
    }
    Ok(picture)
}

fn bitmap(bytes: &[u8]) -> Option<Picture> {
    let media_type = match imagesize::image_type(bytes).ok()? {
        ImageType::Png => "image/png",
        ImageType::Jpeg => "image/jpeg",
        ImageType::Webp => "image/webp",
        _ => return None,
    };
    let size = imagesize::blob_size(bytes).ok()?;
    let (width, height) = (i64::try_from(size.width).ok()?, i64::try_from(size.height).ok()?);
    (width > 0 && height > 0).then_some(Picture { media_type, width, height })
}

/// By its `viewBox`, else by width and height. Document types, and with them entities, are refused.
fn svg(bytes: &[u8]) -> Option<Picture> {
    let document = roxmltree::Document::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    let root = document.root_element();
    if root.tag_name().name() != "svg" || root.tag_name().namespace() != Some("http://www.w3.org/2000/svg") {
        return None;
    }
    let number = |text: &str| text.trim().trim_end_matches("px").parse::<f64>().ok();
    let from_box = root.attribute("viewBox").and_then(|text| {
        let parts: Vec<f64> = text.split([' ', ',']).filter(|part| !part.is_empty()).filter_map(number).collect();
        (parts.len() == 4).then(|| (parts[2], parts[3]))
    });
    let side = |name| root.attribute(name).and_then(number);
    let (width, height) = from_box.or_else(|| side("width").zip(side("height")))?;
    Some(Picture { media_type: "image/svg+xml", width: pixels(width)?, height: pixels(height)? })
}

#[allow(clippy::cast_possible_truncation)] // below a million
fn pixels(side: f64) -> Option<i64> {
    (side > 0.0 && side < 1e6).then(|| (side.ceil() as i64).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x04\xb0\0\0\x03\x20\x08\x06\0\0\0";

    fn found(bytes: &[u8]) -> Option<(&'static str, i64, i64)> {
        inspect(bytes).ok().map(|picture| (picture.media_type, picture.width, picture.height))
    }

    #[test]
    fn kind_and_size_are_read_from_the_bytes() {
        let svg = |attributes: &str| format!("<svg xmlns='http://www.w3.org/2000/svg' {attributes}/>");
        assert_eq!(found(PNG), Some(("image/png", 1200, 800)));
        let kind = "image/svg+xml";
        assert_eq!(found(svg("viewBox='0 0 640 480.5'").as_bytes()), Some((kind, 640, 481)));
        assert_eq!(found(svg("viewBox='0,0,64,48' width='100%'").as_bytes()), Some((kind, 64, 48)));
        assert_eq!(found(svg("width='300px' height='200'").as_bytes()), Some((kind, 300, 200)));
        assert_eq!(found(svg("width='100%' height='100%'").as_bytes()), None);
        assert_eq!(found(svg("viewBox='0 0 0 48'").as_bytes()), None);
        assert_eq!(found(svg("viewBox='0 0 30000 48'").as_bytes()), None);
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let bomb =
            "<!DOCTYPE svg [<!ENTITY a 'aaaa'>]><svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'>&a;</svg>";
        for bytes in
            [&b""[..], b"GIF89a\x01\0\x01\0", b"<html/>", b"<svg viewBox='0 0 1 1'/>", b"\xff\xd8\xff", bomb.as_bytes()]
        {
            assert_eq!(found(bytes), None, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
