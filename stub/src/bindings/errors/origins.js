// Call sites of generated code, as errors show them: all that V8 says of them but the place.
(() => {
  class CallSite {
    #frame;
    #shown;
    #name;
    #line;
    #column;
    constructor(frame, shown, name, line, column) {
      this.#frame = frame;
      this.#shown = shown;
      this.#name = name;
      this.#line = line;
      this.#column = column;
    }
    getFileName() { return this.#name; }
    getScriptNameOrSourceURL() { return this.#name; }
    getLineNumber() { return this.#line; }
    getColumnNumber() { return this.#column; }
    getEnclosingLineNumber() { return this.#line; }
    getEnclosingColumnNumber() { return this.#column; }
    toString() {
      const text = this.#frame.toString();
      const at = text.lastIndexOf(this.#shown);
      const place = `${this.#name}:${this.#line}:${this.#column}`;
      return at < 0 ? text : text.slice(0, at) + place + text.slice(at + this.#shown.length);
    }
    static borrow(name) {
      Object.defineProperty(CallSite.prototype, name, {
        configurable: true,
        value() { return this.#frame[name](); },
      });
    }
  }
  let isComplete = false;
  return (frame, ...place) => {
    if (!isComplete) {
      isComplete = true;
      const names = Object.getOwnPropertyNames(Object.getPrototypeOf(frame));
      for (const name of names) if (!Object.hasOwn(CallSite.prototype, name)) CallSite.borrow(name);
    }
    return new CallSite(frame, ...place);
  };
})();
