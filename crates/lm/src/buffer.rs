//! Space for numbers that begins with a line of the cache.

use std::ops::{Deref, DerefMut};

/// What a line of the cache has, in bytes; a wide vector has as many. One that lies across two is read and written twice.
const LINE_BYTES: usize = 64;

/// Numbers whose first one begins a line of the cache, and with it every row of whole wide vectors.
#[derive(Default)]
pub(crate) struct Buffer {
    data: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// Place for so many numbers, with whatever stands there.
    pub(crate) fn make_room(&mut self, len: usize) {
        if self.start + len > self.data.len() {
            self.data = vec![0.0; len + LINE_BYTES / size_of::<f32>()];
            self.start = self.data.as_ptr().align_offset(LINE_BYTES);
        }
        self.len = len;
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.data[self.start..][..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..][..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_a_line_of_the_cache_whatever_their_count() {
        let mut buffer = Buffer::default();
        assert!(buffer.is_empty());
        for len in [1, 15, 4096, 100, 1 << 20, 0, 7] {
            buffer.make_room(len);
            buffer.fill(1.5);
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.as_ptr().align_offset(LINE_BYTES), 0, "{len}");
        }
    }
}
