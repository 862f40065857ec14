//! Which module of Node's a test is about.

/// A module, and how the names of its tests begin, after `test-`. The first that fits counts.
const MODULES: &[(&str, &[&str])] = &[
    ("fs", &["fs-", "file-", "filehandle-", "utf8-scripts"]),
    ("streams", &["stream", "readable-", "webstream", "whatwg-webstreams", "whatwg-readable", "pipe-", "compression-"]),
    ("worker_threads", &["worker", "messag", "broadcastchannel", "structuredClone"]),
    ("child_process", &["child-process", "spawn-", "stdio", "stdin", "stdout"]),
    ("cluster", &["cluster"]),
    ("vm", &["vm-"]),
    ("process", &["process", "next-tick", "promise", "unhandled-", "uncaught-", "warn", "beforeexit", "exception-"]),
    ("zlib", &["zlib"]),
    ("buffer", &["buffer", "btoa", "atob", "stringbytes", "blob"]),
    ("util", &["util", "mime", "parse-args", "inspect"]),
    ("url", &["url", "whatwg-url", "fileurltopathbuffer", "querystring", "punycode"]),
    ("whatwg", &["whatwg-", "abort", "domexception", "performanceobserver", "global-", "web-", "eventtarget"]),
    ("timers", &["timers", "microtask", "tick-", "set-", "queue-"]),
    ("events", &["event", "nodeeventtarget"]),
    ("path", &["path"]),
    ("os", &["os"]),
    ("http", &["http-"]),
    ("net", &["net-", "listen-", "socket-", "blocklist", "socketaddress"]),
    ("dgram", &["dgram"]),
    ("readline", &["readline"]),
    ("repl", &["repl"]),
    ("console", &["console"]),
    ("assert", &["assert"]),
    ("async_hooks", &["async-", "asyncresource", "als-"]),
    ("crypto", &["crypto-hash", "crypto-hmac", "crypto-random", "crypto-scrypt", "crypto-pbkdf2", "crypto-hkdf"]),
    ("module", &["module", "require", "preload", "esm", "cwd-"]),
    ("perf_hooks", &["perf", "performance"]),
    ("v8", &["v8-", "heap", "memory-"]),
    ("string_decoder", &["string-decoder"]),
    ("diagnostics_channel", &["diagnostics-channel"]),
    ("domain", &["domain"]),
    ("tty", &["tty"]),
    ("errors", &["error", "err-", "throw-"]),
    ("cli", &["cli-", "eval-"]),
];

/// What tests are about, whatever else they are about, that is still to come.
const LATER: &[&str] = &["http2", "https", "tls", "inspector"];

/// Whether there is a module of that name.
pub fn is_module(name: &str) -> bool {
    MODULES.iter().any(|(module, _)| *module == name)
}

/// The module that the test file `name` is about.
pub fn of(name: &str) -> Option<&'static str> {
    let rest = name.strip_prefix("test-")?;
    // Parts that Kiln does not have yet are not told to be there.
    if LATER.iter().any(|part| rest.contains(part)) {
        return None;
    }
    MODULES.iter().find(|(_, starts)| starts.iter().any(|start| rest.starts_with(start))).map(|(module, _)| *module)
}
