//! The stub: the front part of every executable that Kiln makes.

fn main() {
    kiln_stub::start::main()
}
