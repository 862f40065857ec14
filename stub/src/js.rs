//! Short names for what every room does with JavaScript values.

/// A JavaScript string of `text`. Texts over V8's limit (half a gibibyte) come out empty.
pub fn string<'s>(scope: &v8::PinScope<'s, '_>, text: &str) -> v8::Local<'s, v8::String> {
    v8::String::new(scope, text).unwrap_or_else(|| v8::String::empty(scope))
}

/// A property name that is used often: V8 keeps one copy of it.
pub fn name<'s>(scope: &v8::PinScope<'s, '_>, text: &str) -> v8::Local<'s, v8::String> {
    v8::String::new_from_utf8(scope, text.as_bytes(), v8::NewStringType::Internalized)
        .unwrap_or_else(|| v8::String::empty(scope))
}

/// A number.
pub fn number<'s>(scope: &v8::PinScope<'s, '_>, value: f64) -> v8::Local<'s, v8::Value> {
    v8::Number::new(scope, value).into()
}

/// An integer.
pub fn integer<'s>(scope: &v8::PinScope<'s, '_>, value: i32) -> v8::Local<'s, v8::Value> {
    v8::Integer::new(scope, value).into()
}

/// A boolean.
pub fn boolean<'s>(scope: &v8::PinScope<'s, '_>, value: bool) -> v8::Local<'s, v8::Value> {
    v8::Boolean::new(scope, value).into()
}

/// `undefined`.
pub fn undefined<'s>(scope: &v8::PinScope<'s, '_>) -> v8::Local<'s, v8::Value> {
    v8::undefined(scope).into()
}

/// `null`.
pub fn null<'s>(scope: &v8::PinScope<'s, '_>) -> v8::Local<'s, v8::Value> {
    v8::null(scope).into()
}

/// Sets `object[key]`.
pub fn set<'s, T>(scope: &v8::PinScope<'s, '_>, object: v8::Local<'s, v8::Object>, key: &str, value: v8::Local<'s, T>)
where
    v8::Local<'s, T>: Into<v8::Local<'s, v8::Value>>,
{
    let key = name(scope, key);
    object.set(scope, key.into(), value.into());
}

/// Reads `object[key]`; `None` when a getter throws.
pub fn get<'s>(
    scope: &v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    key: &str,
) -> Option<v8::Local<'s, v8::Value>> {
    let key = name(scope, key);
    object.get(scope, key.into())
}

/// An array of strings.
pub fn strings<'s, T: AsRef<str>>(
    scope: &v8::PinScope<'s, '_>,
    texts: impl IntoIterator<Item = T>,
) -> v8::Local<'s, v8::Array> {
    let texts: Vec<v8::Local<v8::Value>> = texts.into_iter().map(|text| string(scope, text.as_ref()).into()).collect();
    v8::Array::new_with_elements(scope, &texts)
}

/// The bytes of an ArrayBuffer or a view on one, to read and to write.
///
/// JavaScript may see the same memory, hence cells. The slice must not be kept past the call: the
/// buffer can be detached or collected.
pub fn bytes<'a>(value: v8::Local<'a, v8::Value>) -> Option<&'a [std::cell::Cell<u8>]> {
    let (data, length) = if let Ok(view) = v8::Local::<v8::ArrayBufferView>::try_from(value) {
        (view.data().cast::<u8>(), view.byte_length())
    } else if let Ok(buffer) = v8::Local::<v8::ArrayBuffer>::try_from(value) {
        (buffer.data().map_or(std::ptr::null_mut(), |data| data.as_ptr().cast::<u8>()), buffer.byte_length())
    } else if let Ok(buffer) = v8::Local::<v8::SharedArrayBuffer>::try_from(value) {
        let store = buffer.get_backing_store();
        (store.data().map_or(std::ptr::null_mut(), |data| data.as_ptr().cast::<u8>()), buffer.byte_length())
    } else {
        return None;
    };
    if data.is_null() || length == 0 {
        return Some(&[]);
    }
    // SAFETY: V8 says that `length` bytes are there, and the handle keeps them alive; `Cell` allows for
    // the aliasing.
    Some(unsafe { std::slice::from_raw_parts(data.cast_const().cast(), length) })
}
