//! What a build is made of: a path or an address, or a file of a crawl; and how a dump is laid out.

use clap::{Args, ValueEnum};
use corpus::{
    Fields, Layout,
    source::crawl::{self, CrawlId},
};

use crate::{
    config::environment,
    source::{Named, SourceOpenError, crawl_url},
};

#[derive(Args)]
pub(crate) struct OriginArguments {
    /// A folder of HTML, Markdown and text; an archive (WARC, WET, ARC) or a folder of such; a dump: MediaWiki's XML, Stack
    /// Exchange's Posts.xml, JSON lines, Parquet; or an archive's or a dump's address.
    #[arg(required_unless_present = "crawl", conflicts_with = "crawl")]
    source: Option<Named>,
    /// Fetch a file of this crawl of Common Crawl's.
    #[arg(long, value_name = "CC-MAIN-…", requires = "path")]
    crawl: Option<CrawlId>,
    /// Which file of the crawl: its number in the crawl's list, from 0, or its path.
    #[arg(long, value_name = "N|PATH", requires = "crawl")]
    path: Option<String>,
    /// Which of the crawl's lists a number is of: what servers answered, or the text in it.
    #[arg(long, value_enum, value_name = "KIND", default_value = "warc")]
    crawl_files: CrawlFiles,
    /// Where crawls are fetched from.
    #[arg(long, hide = true, env = environment::CRAWL_HOST, value_name = "URL", default_value = crawl::HOST)]
    crawl_host: String,
    /// How a dump is laid out: WARC or ARC records, MediaWiki's pages, Stack Exchange's posts, lines of JSON or Parquet;
    /// without it, its name tells.
    #[arg(long, value_enum, value_name = "NAME")]
    layout: Option<LayoutName>,
    /// The member or column that holds the text of a row; asks for rows.
    #[arg(long, value_name = "NAME", conflicts_with = "layout")]
    text_field: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CrawlFiles {
    Warc,
    Wet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LayoutName {
    // Doc comments here would make the command's help two pages longer.
    Records,
    Wiki,
    Threads,
    Rows,
}

impl OriginArguments {
    #[cfg(test)]
    pub(super) fn of(source: std::path::PathBuf) -> Self {
        Self {
            source: Some(Named::Path(source)),
            crawl: None,
            path: None,
            crawl_files: CrawlFiles::Warc,
            crawl_host: crawl::HOST.to_owned(),
            layout: None,
            text_field: None,
        }
    }

    /// What was named; of a crawl its file's address, for which its list may have to be fetched.
    pub(super) fn named(&self, is_json: bool) -> Result<Named, SourceOpenError> {
        let (Some(crawl), Some(path)) = (&self.crawl, &self.path) else {
            return Ok(self.source.clone().expect("clap asks for a source where there is no crawl"));
        };
        let files = match self.crawl_files {
            CrawlFiles::Warc => crawl::Files::Warc,
            CrawlFiles::Wet => crawl::Files::Wet,
        };
        crawl_url(&self.crawl_host, crawl, files, path, is_json).map(Named::Url)
    }

    /// The layout that was asked for; a field's name asks for rows.
    pub(super) fn layout(&self) -> Option<Layout> {
        match self.layout {
            Some(LayoutName::Records) => Some(Layout::Records),
            Some(LayoutName::Wiki) => Some(Layout::Wiki),
            Some(LayoutName::Threads) => Some(Layout::Threads),
            Some(LayoutName::Rows) => Some(Layout::Rows(Fields::default())),
            None => self.text_field.clone().map(|text| Layout::Rows(Fields { text, ..Fields::default() })),
        }
    }
}
