//! CCM, of NIST SP 800-38C. Its length has to be known beforehand, so a message comes in one piece.

use crate::cipher::blocks::Blocks;
use crate::cipher::feedback::Counter;
use crate::cipher::{Mode, Problem, encrypted, xor};

pub struct Ccm {
    stream: Counter,
    nonce: Vec<u8>,
    tag_length: usize,
    encrypts: bool,
    associated: Vec<u8>,
    /// What was announced.
    length: Option<usize>,
    mask: [u8; 16],
    tag: Option<[u8; 16]>,
}

impl Ccm {
    pub fn new(cipher: Box<dyn Blocks>, nonce: &[u8], encrypts: bool, tag_length: usize) -> Ccm {
        let mut first = [0; 16];
        first[0] = (14 - nonce.len()) as u8;
        first[1..=nonce.len()].copy_from_slice(nonce);
        let mask = encrypted(&*cipher, first);
        let counting = (1 << (8 * (15 - nonce.len()))) - 1;
        let mut stream = Counter::counting(cipher, first, counting);
        // The first number is the tag's.
        stream.apply(&mut [0; 16]);
        let nonce = nonce.to_vec();
        Ccm { stream, nonce, tag_length, encrypts, associated: Vec::new(), length: None, mask, tag: None }
    }

    /// The tag for `text`, which is not encrypted.
    fn authenticate(&self, text: &[u8]) -> [u8; 16] {
        let width = 15 - self.nonce.len();
        let mut sum = [0; 16];
        sum[0] = ((self.tag_length as u8).saturating_sub(2) / 2) << 3 | (width - 1) as u8;
        if !self.associated.is_empty() {
            sum[0] |= 0x40;
        }
        sum[1..=self.nonce.len()].copy_from_slice(&self.nonce);
        let length = (text.len() as u64).to_be_bytes();
        let kept = width.min(8);
        sum[16 - kept..].copy_from_slice(&length[8 - kept..]);
        let cipher = self.stream.cipher();
        cipher.encrypt(&mut sum);
        let mut add = |data: &[u8]| {
            for block in data.chunks(16) {
                xor(&mut sum, block);
                cipher.encrypt(&mut sum);
            }
        };
        if !self.associated.is_empty() {
            let length = self.associated.len();
            let announced = match u16::try_from(length) {
                Ok(short) if short < 0xff00 => short.to_be_bytes().to_vec(),
                _ => [&[0xff, 0xfe][..], &(length as u32).to_be_bytes()].concat(),
            };
            add(&[&announced[..], &self.associated].concat());
        }
        add(text);
        xor(&mut sum, &self.mask);
        sum
    }
}

impl Mode for Ccm {
    fn update(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        if self.tag.is_some() || self.length.is_some_and(|length| length != data.len()) {
            return Err(Problem::State);
        }
        let start = out.len();
        out.extend_from_slice(data);
        self.stream.apply(&mut out[start..]);
        let text = if self.encrypts { data } else { &out[start..] };
        self.tag = Some(self.authenticate(text));
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<u8>) -> Result<(), Problem> {
        match (self.tag, self.length) {
            (Some(_), _) => Ok(()),
            (None, None) => {
                self.tag = Some(self.authenticate(&[]));
                Ok(())
            }
            (None, Some(_)) => Err(Problem::State),
        }
    }

    fn associate(&mut self, data: &[u8], length: Option<usize>) -> Result<(), Problem> {
        if self.tag.is_some() {
            return Err(Problem::State);
        }
        self.length = length;
        self.associated.extend_from_slice(data);
        Ok(())
    }

    fn tag(&mut self) -> Option<[u8; 16]> {
        self.tag
    }
}
