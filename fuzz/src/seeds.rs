//! Writes the seeds: `cargo run --bin seeds`, in this folder, fills `corpus/<target>/`.

use std::{fs, io, path::Path};

use fuzz::{
    FERNET, METHODS, NACL_KEY, SEALED_PLAIN, Sent, VAULT, calls, chain_at, genuine_archives, genuine_checkpoints,
    genuine_ciphertexts, genuine_configs, genuine_dumps, genuine_extrinsics, genuine_gguf, genuine_heads,
    genuine_requests, genuine_safetensors, genuine_synapses, genuine_tokenizers, key, task,
};
use protocol::Scheme;
use wallet::{KeyFile, Keypair, Mnemonic, envelope::NaclKey};

/// The public phrase of Substrate's development accounts.
const PHRASE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";

fn main() -> io::Result<()> {
    write("btauth", printed(&genuine_requests()))?;
    write("synapse", printed(&genuine_synapses()))?;
    write("key_file", key_files())?;
    write("key_text", key_texts())?;
    write("timelock", ciphertexts())?;
    write("extrinsic", extrinsics())?;
    write("chain_read", questions())?;
    write("safetensors", genuine_safetensors())?;
    write("gguf", genuine_gguf())?;
    write("config", genuine_configs())?;
    write("tokenizer", genuine_tokenizers())?;
    write("checkpoint", genuine_checkpoints())?;
    write("html", pages())?;
    write("warc", genuine_archives())?;
    write("dump", genuine_dumps())?;
    write("shard", shards()?)?;
    write("http_head", genuine_heads())
}

/// Each request as it stands, and once more with the mark that has the target sign it anew.
fn printed(requests: &[Sent]) -> Vec<Vec<u8>> {
    let marked = |request: &Sent| [&b"+"[..], &request.print()].concat();
    requests.iter().flat_map(|request| [request.print(), marked(request)]).collect()
}

fn key_files() -> Vec<Vec<u8>> {
    let mnemonic = Mnemonic::parse(PHRASE).expect("a valid phrase");
    let mut files = vec![
        PHRASE.into(),
        b"0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e".to_vec(),
        br#"{"encoded":"abc","encoding":{"content":["pkcs8"]}}"#.to_vec(),
        br#"{" ss58Address":"5DFJF7tY4bpbpcKPJcBTQaKuCDEPCpiz8TRjpmLeTtweqmXL","cryptoType":"1"}"#.to_vec(),
        SEALED_PLAIN.to_vec(),
        NaclKey::from_bytes(NACL_KEY).seal(SEALED_PLAIN, [3; 24]),
        FERNET.into(),
        VAULT.into(),
        VAULT.replace("1.1;AES256", "1.2;AES256;dev").into(),
    ];
    for scheme in [Scheme::Sr25519, Scheme::Ed25519] {
        let from_phrase = Keypair::from_mnemonic(scheme, &mnemonic, None);
        let private =
            Keypair::from_private_key(scheme, &from_phrase.expose_private_key()).expect("our own key");
        files.push(KeyFile::Public(from_phrase.public()).to_json().to_vec());
        files.extend(
            [from_phrase, key(scheme, 1), private]
                .map(|pair| KeyFile::Pair(Box::new(pair)).to_json().to_vec()),
        );
    }
    files
}

fn key_texts() -> Vec<Vec<u8>> {
    let long = format!("{}vote", "zoo ".repeat(23));
    let texts = [
        PHRASE,
        &long,
        "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
        "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty",
        "//Alice//stash/0",
        "/soft//a-name-that-is-longer-than-thirty-one-bytes/18446744073709551615",
        "0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e//hard/soft///pass word",
        "MjUsIyAwLSx+",
        "default",
        "küche",
    ];
    let signature = format!("0x{}", "3010547b58f5a583".repeat(8));
    texts.into_iter().chain([signature.as_str(), &format!("{PHRASE}//a///b")]).map(Into::into).collect()
}

/// Each ciphertext as it stands, and its payload behind the mark that has the target lock it anew.
fn ciphertexts() -> Vec<Vec<u8>> {
    let both = |(bytes, payload): (Vec<u8>, Vec<u8>)| [bytes, [&b"+"[..], &payload].concat()];
    genuine_ciphertexts().into_iter().flat_map(both).collect()
}

/// Each extrinsic as it stands, and each call behind the mark that has the target sign it.
fn extrinsics() -> Vec<Vec<u8>> {
    let marked = calls().into_iter().map(|call| [&b"+"[..], &call].concat());
    genuine_extrinsics().into_iter().chain(marked).collect()
}

/// Some keys that there are with their prefixes, and each runtime call with arguments that fit many.
fn questions() -> Vec<Vec<u8>> {
    let state = chain_at();
    let keys = state.stored_keys(&[], None, usize::MAX);
    let key = |key: &Vec<u8>| [&b"k"[..], key].concat();
    let prefix = |key: &Vec<u8>| [&b"k"[..], &[32], &key[..32]].concat();
    let of_keys = keys.iter().step_by(keys.len() / 20 + 1).flat_map(|one| [key(one), prefix(one)]);
    let method = |number: usize| [&b"r"[..], &[u8::try_from(number).expect("few")], &[1, 0, 0, 0]].concat();
    of_keys.chain((0..METHODS.len()).map(method)).collect()
}

/// A page of every kind of markup that is read apart from the rest.
fn pages() -> Vec<Vec<u8>> {
    let text = "The weighhouse stood at the market, and what was weighed there was sold with a certificate. ".repeat(6);
    let whole = format!(
        "<!doctype html><html lang=en><head><title>Weights</title><script>if (a<b) {{}}</script></head><body>\
         <nav><ul><li><a href=/>Home</a><li><a href=/x>News</a></ul></nav><article><h1>Weights</h1><p>{text}<p>{text}\
         <ol start=3><li>one<li>two</ol><pre>a\n b</pre><blockquote>{text}</blockquote>\
         <table><tr><th>a<th>b<tr><td>1<td>2</table></article><footer>&copy; &#169;</footer>"
    );
    let small = [
        "<b><p>a</b>b</p>c",
        "<a href=x><div>a</a>b</div>",
        "<svg><title><p>a</svg><math><mi>x</mi></math>",
        "<script><!--<script></script>--></script>a",
        "<template><li>a</template><noscript><p>b</noscript>",
        "<table><tr><td><form></table></form>a",
        "<textarea>&amp;</textarea><![CDATA[a]]><!-- a --!>b",
        "<script type=application/ld+json>{\"@type\":\"Article\",\"articleBody\":\"a b\"}</script>",
    ];
    small.iter().map(|page| page.as_bytes().to_vec()).chain([whole.into_bytes()]).collect()
}

/// A shard without its checksum, and each of its tables alone, behind the byte that says which it is.
fn shards() -> io::Result<Vec<Vec<u8>>> {
    let shard = &task().shard;
    let encoded = shard.encode();
    let folder = std::env::temp_dir().join(format!("weigh-seeds-{}", std::process::id()));
    shard.write_folder(&folder).map_err(io::Error::other)?;
    let table = |name: &str| fs::read(folder.join(name));
    let (ledger, documents) = (table("ledger.parquet")?, table("data/train-00000.parquet")?);
    fs::remove_dir_all(&folder)?;
    let of = |first: &[u8], bytes: &[u8]| [first, bytes].concat();
    Ok(vec![of(b"s", &encoded[..encoded.len() - 32]), of(b"l", &ledger), of(b"d", &documents)])
}

fn write(target: &str, seeds: Vec<Vec<u8>>) -> io::Result<()> {
    let folder = Path::new("corpus").join(target);
    fs::create_dir_all(&folder)?;
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:02}")), seed)?;
    }
    println!("{}: {} seeds", folder.display(), seeds.len());
    Ok(())
}
