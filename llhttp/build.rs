//! Compiles llhttp's generated C sources.

fn main() {
    println!("cargo::rerun-if-changed=vendor");
    cc::Build::new()
        .files(["vendor/llhttp.c", "vendor/api.c", "vendor/http.c"])
        .include("vendor")
        // A state machine of thousands of labels: without optimization it takes several times as long.
        .opt_level(2)
        .warnings(false)
        .compile("llhttp");
}
