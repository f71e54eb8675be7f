//! The names of elements and attributes that the tree knows, and what the HTML standard says of the elements.

macro_rules! names {
    ($(#[$doc:meta])* $kind:ident $other:ident { $($name:ident $text:literal)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "a variant is the name in it")]
        pub enum $kind {
            $($name,)*
            /// Any other name.
            $other,
        }

        impl $kind {
            /// How many there are.
            pub const COUNT: usize = Self::$other as usize + 1;
            const TABLE: [(u128, Self); Self::COUNT - 1] =
                sorted([$((packed($text.as_bytes()), Self::$name),)*]);

            /// The name as it is written; empty for the names that are not known.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::$other => "",
                }
            }

            /// What a name stands for, in any case.
            pub(in crate::html) fn of(name: &[u8]) -> Self {
                if name.len() > PACKED_MAX {
                    return Self::$other;
                }
                let mut key = 1;
                for byte in name {
                    key = key << 8 | u128::from(byte.to_ascii_lowercase());
                }
                match Self::TABLE.binary_search_by_key(&key, |entry| entry.0) {
                    Ok(at) => Self::TABLE[at].1,
                    Err(_) => Self::$other,
                }
            }
        }

        const fn sorted<const N: usize>(mut table: [(u128, $kind); N]) -> [(u128, $kind); N] {
            let mut end = 1;
            while end < N {
                let mut at = end;
                while at > 0 && table[at - 1].0 > table[at].0 {
                    (table[at - 1], table[at]) = (table[at], table[at - 1]);
                    at -= 1;
                }
                end += 1;
            }
            table
        }
    };
}

/// Bytes of the longest name that is known.
const PACKED_MAX: usize = 15;

const fn packed(name: &[u8]) -> u128 {
    assert!(name.len() <= PACKED_MAX);
    // The one tells names apart that begin with zeros.
    let (mut key, mut at) = (1, 0);
    while at < name.len() {
        key = key << 8 | name[at] as u128;
        at += 1;
    }
    key
}

mod element {
    use super::{PACKED_MAX, packed};

    names! {
        /// The name of an element.
        Tag Other {
            A "a" Abbr "abbr" Acronym "acronym" Address "address" Annotation "annotation"
            AnnotationXml "annotation-xml" Applet "applet" Area "area" Article "article" Aside "aside"
            Audio "audio" B "b" Base "base" Basefont "basefont" Bdi "bdi" Bdo "bdo" Bgsound "bgsound" Big "big"
            Blockquote "blockquote" Body "body" Br "br" Button "button" Canvas "canvas" Caption "caption"
            Center "center" Cite "cite" Code "code" Col "col" Colgroup "colgroup" Data "data"
            Datalist "datalist" Dd "dd" Del "del" Desc "desc" Details "details" Dfn "dfn" Dialog "dialog"
            Dir "dir" Div "div" Dl "dl" Dt "dt" Em "em" Embed "embed" Fieldset "fieldset"
            Figcaption "figcaption" Figure "figure" Font "font" Footer "footer" ForeignObject "foreignobject"
            Form "form" Frame "frame" Frameset "frameset" H1 "h1" H2 "h2" H3 "h3" H4 "h4" H5 "h5" H6 "h6"
            Head "head" Header "header" Hgroup "hgroup" Hr "hr" Html "html" I "i" Iframe "iframe"
            Image "image" Img "img" Input "input" Ins "ins" Kbd "kbd" Keygen "keygen" Label "label"
            Legend "legend" Li "li" Link "link" Listing "listing" Main "main" Map "map" Mark "mark"
            Marquee "marquee" Math "math" Menu "menu" Meta "meta" Meter "meter" Mi "mi" Mn "mn" Mo "mo" Ms "ms"
            Mtext "mtext" Nav "nav" Nobr "nobr" Noembed "noembed" Noframes "noframes" Noscript "noscript"
            Object "object" Ol "ol" Optgroup "optgroup" Option "option" Output "output" P "p" Param "param"
            Picture "picture" Plaintext "plaintext" Pre "pre" Progress "progress" Q "q" Rb "rb" Rp "rp" Rt "rt"
            Rtc "rtc" Ruby "ruby" S "s" Samp "samp" Script "script" Search "search" Section "section"
            Select "select" Slot "slot" Small "small" Source "source" Span "span" Strike "strike"
            Strong "strong" Style "style" Sub "sub" Summary "summary" Sup "sup" Svg "svg" Table "table"
            Tbody "tbody" Td "td" Template "template" Textarea "textarea" Tfoot "tfoot" Th "th" Thead "thead"
            Time "time" Title "title" Tr "tr" Track "track" Tt "tt" U "u" Ul "ul" Var "var" Video "video"
            Wbr "wbr" Xmp "xmp"
        }
    }
}

mod attribute {
    use super::{PACKED_MAX, packed};

    names! {
        /// The name of an attribute that is kept.
        Attr Other {
            Alt "alt" AriaHidden "aria-hidden" Class "class" Content "content" DataLazySrc "data-lazy-src"
            DataOriginal "data-original" DataSrc "data-src" DataSrcset "data-srcset" Datetime "datetime"
            Height "height" Hidden "hidden" Href "href" Id "id" Itemprop "itemprop" Itemtype "itemtype"
            Lang "lang" Name "name" Property "property" Rel "rel" Role "role" Src "src" Srcset "srcset"
            Start "start" Style "style" Title "title" Type "type" Width "width"
        }
    }
}

pub use attribute::Attr;
pub use element::Tag;

impl Tag {
    /// Elements without content.
    ///
    /// Source: the HTML standard, 13.1.2, "void elements", with those of older pages that 13.2.6.4.7 treats alike.
    pub(super) fn is_void(self) -> bool {
        matches!(
            self,
            Self::Area
                | Self::Base
                | Self::Basefont
                | Self::Bgsound
                | Self::Br
                | Self::Col
                | Self::Embed
                | Self::Frame
                | Self::Hr
                | Self::Image
                | Self::Img
                | Self::Input
                | Self::Keygen
                | Self::Link
                | Self::Meta
                | Self::Param
                | Self::Source
                | Self::Track
                | Self::Wbr
        )
    }

    /// Elements that end tags of unknown and inline elements don't reach across.
    ///
    /// Source: the HTML standard, 13.2.4.2, "special".
    pub(super) fn is_special(self) -> bool {
        self.is_void() && self != Self::Image
            || self.closes_paragraph()
            || self.is_boundary()
            || matches!(
                self,
                Self::Body
                    | Self::Button
                    | Self::Colgroup
                    | Self::Desc
                    | Self::Frameset
                    | Self::Head
                    | Self::Iframe
                    | Self::Noembed
                    | Self::Noframes
                    | Self::Noscript
                    | Self::Script
                    | Self::Select
                    | Self::Style
                    | Self::Tbody
                    | Self::Textarea
                    | Self::Tfoot
                    | Self::Thead
                    | Self::Title
                    | Self::Tr
            )
    }

    /// Elements that end tags of blocks don't reach across.
    ///
    /// Source: the HTML standard, 13.2.4.2, "has an element in scope".
    pub(super) fn is_boundary(self) -> bool {
        matches!(
            self,
            Self::AnnotationXml
                | Self::Applet
                | Self::Caption
                | Self::Desc
                | Self::ForeignObject
                | Self::Html
                | Self::Marquee
                | Self::Mi
                | Self::Mn
                | Self::Mo
                | Self::Ms
                | Self::Mtext
                | Self::Object
                | Self::Table
                | Self::Td
                | Self::Template
                | Self::Th
        )
    }

    /// Elements before which an open paragraph ends.
    ///
    /// Source: the HTML standard, 13.2.6.4.7, "close a p element".
    pub(super) fn closes_paragraph(self) -> bool {
        self.is_heading()
            || matches!(
                self,
                Self::Address
                    | Self::Article
                    | Self::Aside
                    | Self::Blockquote
                    | Self::Center
                    | Self::Dd
                    | Self::Details
                    | Self::Dialog
                    | Self::Dir
                    | Self::Div
                    | Self::Dl
                    | Self::Dt
                    | Self::Fieldset
                    | Self::Figcaption
                    | Self::Figure
                    | Self::Footer
                    | Self::Form
                    | Self::Header
                    | Self::Hgroup
                    | Self::Hr
                    | Self::Li
                    | Self::Listing
                    | Self::Main
                    | Self::Menu
                    | Self::Nav
                    | Self::Ol
                    | Self::P
                    | Self::Plaintext
                    | Self::Pre
                    | Self::Search
                    | Self::Section
                    | Self::Summary
                    | Self::Table
                    | Self::Ul
                    | Self::Xmp
            )
    }

    /// Elements whose end tag may come in the midst of other elements, which then go on.
    ///
    /// Source: the HTML standard, 13.2.4.3, "formatting", and 13.2.6.4.7 on the end of a form.
    pub(super) fn ends_alone(self) -> bool {
        matches!(
            self,
            Self::A
                | Self::B
                | Self::Big
                | Self::Code
                | Self::Em
                | Self::Font
                | Self::Form
                | Self::I
                | Self::Nobr
                | Self::S
                | Self::Small
                | Self::Strike
                | Self::Strong
                | Self::Tt
                | Self::U
        )
    }

    /// Elements of SVG and MathML in which HTML goes on.
    ///
    /// Source: the HTML standard, 13.2.6, "HTML integration point" and "MathML text integration point".
    pub(super) fn is_integration_point(self) -> bool {
        matches!(
            self,
            Self::AnnotationXml
                | Self::Desc
                | Self::ForeignObject
                | Self::Mi
                | Self::Mn
                | Self::Mo
                | Self::Ms
                | Self::Mtext
                | Self::Title
        )
    }

    /// Elements that end SVG and MathML.
    ///
    /// Source: the HTML standard, 13.2.6.5, "any start tag whose tag name is one of".
    pub(super) fn ends_foreign(self) -> bool {
        self.is_heading()
            || matches!(
                self,
                Self::B
                    | Self::Big
                    | Self::Blockquote
                    | Self::Body
                    | Self::Br
                    | Self::Center
                    | Self::Code
                    | Self::Dd
                    | Self::Div
                    | Self::Dl
                    | Self::Dt
                    | Self::Em
                    | Self::Embed
                    | Self::Head
                    | Self::Hr
                    | Self::I
                    | Self::Img
                    | Self::Li
                    | Self::Listing
                    | Self::Menu
                    | Self::Meta
                    | Self::Nobr
                    | Self::Ol
                    | Self::P
                    | Self::Pre
                    | Self::Ruby
                    | Self::S
                    | Self::Small
                    | Self::Span
                    | Self::Strike
                    | Self::Strong
                    | Self::Sub
                    | Self::Sup
                    | Self::Table
                    | Self::Tt
                    | Self::U
                    | Self::Ul
                    | Self::Var
            )
    }

    /// Elements that may stand in a head.
    ///
    /// Source: the HTML standard, 13.2.6.4.4, "in head".
    pub(super) fn is_of_head(self) -> bool {
        matches!(
            self,
            Self::Base
                | Self::Basefont
                | Self::Bgsound
                | Self::Link
                | Self::Meta
                | Self::Noframes
                | Self::Noscript
                | Self::Script
                | Self::Style
                | Self::Template
                | Self::Title
        )
    }

    /// `h1` to `h6`.
    #[must_use]
    pub fn is_heading(self) -> bool {
        matches!(self, Self::H1 | Self::H2 | Self::H3 | Self::H4 | Self::H5 | Self::H6)
    }

    /// Elements that stand inside of a line; any other begins one and ends one.
    ///
    /// Source: the HTML standard, 15.3, whose style sheet gives the others a display of their own.
    #[must_use]
    pub fn is_inline(self) -> bool {
        matches!(
            self,
            Self::A
                | Self::Abbr
                | Self::Acronym
                | Self::B
                | Self::Bdi
                | Self::Bdo
                | Self::Big
                | Self::Cite
                | Self::Code
                | Self::Data
                | Self::Del
                | Self::Dfn
                | Self::Em
                | Self::Font
                | Self::I
                | Self::Img
                | Self::Image
                | Self::Input
                | Self::Ins
                | Self::Kbd
                | Self::Map
                | Self::Mark
                | Self::Math
                | Self::Meter
                | Self::Mi
                | Self::Mn
                | Self::Mo
                | Self::Ms
                | Self::Mtext
                | Self::Nobr
                | Self::Output
                | Self::Picture
                | Self::Progress
                | Self::Q
                | Self::Rb
                | Self::Rp
                | Self::Rt
                | Self::Rtc
                | Self::Ruby
                | Self::S
                | Self::Samp
                | Self::Slot
                | Self::Small
                | Self::Source
                | Self::Span
                | Self::Strike
                | Self::Strong
                | Self::Sub
                | Self::Sup
                | Self::Svg
                | Self::Time
                | Self::Tt
                | Self::U
                | Self::Var
                | Self::Wbr
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case() {
        let check = |name: &str, expect: Tag| assert_eq!(Tag::of(name.as_bytes()), expect, "{name}");
        check("a", Tag::A);
        check("BlockQuote", Tag::Blockquote);
        check("annotation-xml", Tag::AnnotationXml);
        check("", Tag::Other);
        check("\0a", Tag::Other);
        check("x-comment", Tag::Other);
        check("a-name-longer-than-any", Tag::Other);
        assert_eq!(Attr::of(b"ARIA-hidden"), Attr::AriaHidden);
        assert_eq!(Attr::of(b"data-x"), Attr::Other);
    }
}
