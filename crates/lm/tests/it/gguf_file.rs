//! Writes GGUF files, right ones and, part by part, wrong ones.

/// Numbers of types of values.
pub(crate) const U32: u32 = 4;
pub(crate) const I32: u32 = 5;
pub(crate) const F32: u32 = 6;
pub(crate) const BOOL: u32 = 7;
pub(crate) const TEXT: u32 = 8;
pub(crate) const LIST: u32 = 9;

/// A GGUF file in parts.
#[derive(Clone, Debug)]
pub(crate) struct GgufFile {
    pub(crate) magic: Vec<u8>,
    pub(crate) version: u32,
    /// Instead of how many there are.
    pub(crate) tensor_count: Option<u64>,
    /// Instead of how many there are.
    pub(crate) value_count: Option<u64>,
    /// Key, type, bytes.
    pub(crate) values: Vec<(Vec<u8>, u32, Vec<u8>)>,
    /// Name, dimensions with the fastest first, type, offset.
    pub(crate) tensors: Vec<(String, Vec<u64>, u32, u64)>,
    pub(crate) alignment: usize,
    pub(crate) data: Vec<u8>,
}

/// A text with its length before it.
pub(crate) fn text(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text].concat()
}

/// A list of items that are bytes already.
pub(crate) fn list(kind: u32, items: &[Vec<u8>]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(items.len() as u64).to_le_bytes(), &items.concat()].concat()
}

/// A list of texts.
pub(crate) fn texts(items: &[&str]) -> Vec<u8> {
    list(TEXT, &items.iter().map(|item| text(item.as_bytes())).collect::<Vec<_>>())
}

impl GgufFile {
    /// A file without values or tensors.
    pub(crate) fn empty() -> Self {
        let (values, tensors, data) = (Vec::new(), Vec::new(), Vec::new());
        let (tensor_count, value_count) = (None, None);
        Self {
            magic: b"GGUF".into(),
            version: 3,
            tensor_count,
            value_count,
            values,
            tensors,
            alignment: 32,
            data,
        }
    }

    /// A llama of one layer with two heads of four, one of them for keys, over a vocabulary of the 256 bytes, a
    /// merge, and a start token. Its numbers count up from −1 in steps of 1/64.
    pub(crate) fn llama() -> Self {
        let mut file = Self::empty();
        file.set("general.architecture", TEXT, text(b"llama"));
        for (key, value) in [
            ("block_count", 1u32),
            ("context_length", 64),
            ("embedding_length", 8),
            ("feed_forward_length", 16),
            ("attention.head_count", 2),
            ("attention.head_count_kv", 1),
        ] {
            file.set(&format!("llama.{key}"), U32, value.to_le_bytes().into());
        }
        file.set("llama.attention.layer_norm_rms_epsilon", F32, 1e-5f32.to_le_bytes().into());
        file.set("tokenizer.ggml.model", TEXT, text(b"gpt2"));
        file.set("tokenizer.ggml.pre", TEXT, text(b"smollm"));
        let mut letters = letters();
        letters.extend(["he".to_owned(), "<s>".to_owned()]);
        let tokens: Vec<&str> = letters.iter().map(String::as_str).collect();
        file.set("tokenizer.ggml.tokens", LIST, texts(&tokens));
        file.set("tokenizer.ggml.merges", LIST, texts(&["h e"]));
        let kinds: Vec<Vec<u8>> =
            (0..258).map(|id| if id == 257 { 3i32 } else { 1 }.to_le_bytes().into()).collect();
        file.set("tokenizer.ggml.token_type", LIST, list(I32, &kinds));
        file.set("tokenizer.ggml.bos_token_id", U32, 257u32.to_le_bytes().into());
        let mut number = -1.0f32;
        for (name, dimensions) in [
            ("token_embd.weight", &[8, 258][..]),
            ("blk.0.attn_norm.weight", &[8]),
            ("blk.0.attn_q.weight", &[8, 8]),
            ("blk.0.attn_k.weight", &[8, 4]),
            ("blk.0.attn_v.weight", &[8, 4]),
            ("blk.0.attn_output.weight", &[8, 8]),
            ("blk.0.ffn_norm.weight", &[8]),
            ("blk.0.ffn_gate.weight", &[8, 16]),
            ("blk.0.ffn_up.weight", &[8, 16]),
            ("blk.0.ffn_down.weight", &[16, 8]),
            ("output_norm.weight", &[8]),
        ] {
            let count = dimensions.iter().product::<u64>();
            let bytes = (0..count).flat_map(|_| {
                number += 1.0 / 64.0;
                number.to_le_bytes()
            });
            file.push(name, dimensions, 0, &bytes.collect::<Vec<u8>>());
        }
        file
    }

    /// Sets a value, or puts another in its place.
    pub(crate) fn set(&mut self, key: &str, kind: u32, bytes: Vec<u8>) {
        self.remove(key);
        self.values.push((key.into(), kind, bytes));
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, key: &str) {
        self.values.retain(|(name, ..)| name != key.as_bytes());
    }

    /// Adds a tensor at the next aligned place.
    pub(crate) fn push(&mut self, name: &str, dimensions: &[u64], kind: u32, bytes: &[u8]) {
        self.data.resize(self.data.len().next_multiple_of(self.alignment), 0);
        self.tensors.push((name.into(), dimensions.into(), kind, self.data.len() as u64));
        self.data.extend_from_slice(bytes);
    }

    /// The file's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.magic.clone();
        out.extend(self.version.to_le_bytes());
        out.extend(self.tensor_count.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        out.extend(self.value_count.unwrap_or(self.values.len() as u64).to_le_bytes());
        for (key, kind, bytes) in &self.values {
            out.extend(text(key));
            out.extend(kind.to_le_bytes());
            out.extend(bytes);
        }
        for (name, dimensions, kind, offset) in &self.tensors {
            out.extend(text(name.as_bytes()));
            out.extend(u32::try_from(dimensions.len()).unwrap().to_le_bytes());
            dimensions.iter().for_each(|size| out.extend(size.to_le_bytes()));
            out.extend(kind.to_le_bytes());
            out.extend(offset.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(self.alignment), 0);
        out.extend(&self.data);
        out
    }
}

/// The letters that stand for the bytes in byte-level BPE.
pub(crate) fn letters() -> Vec<String> {
    let printable = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let mut next = 255;
    let mut letter = |byte: u32| {
        let code = if printable(byte) {
            byte
        } else {
            next += 1;
            next
        };
        char::from_u32(code).unwrap().to_string()
    };
    (0..256).map(&mut letter).collect()
}
