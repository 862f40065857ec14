//! `internalBinding('cares_wrap')`: names of hosts.
//!
//! The executable has no C library to ask: names come from the hosts file. Asking a name server is still to come.

use std::cell::RefCell;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use v8::{Array, FunctionCallbackArguments, Global, Local, Object, PinScope, ReturnValue, Value};

use super::{async_wrap, buffer};
use crate::realm;
use crate::uv::work;
use crate::{callback, errors, facts, js, wrap};

crate::room! {
    name: "cares_wrap",
    functions: {
        trap "getaddrinfo" => get_addresses,
        trap "getnameinfo" => get_name,
        pure "canonicalizeIP" => canonicalize,
        pure "convertIpv6StringToBuffer" => ipv6_bytes,
        pure "strerror" => error_text,
    },
    classes: {
        "GetAddrInfoReqWrap" extends "AsyncWrap" { pure new => new_addresses_request },
        "GetNameInfoReqWrap" extends "AsyncWrap" { pure new => new_name_request },
        "QueryReqWrap" extends "AsyncWrap" { pure new => new_query },
        "ChannelWrap" extends "AsyncWrap" {
            pure new => new_channel,
            trap "getServers" => get_servers,
            trap "setServers" => set_servers,
            pure "setLocalAddress" => nothing,
            pure "cancel" => nothing,
            trap "getHostByAddr" => query,
            trap "queryA" => query,
            trap "queryAny" => query,
            trap "queryAaaa" => query,
            trap "queryCaa" => query,
            trap "queryCname" => query,
            trap "queryMx" => query,
            trap "queryNaptr" => query,
            trap "queryNs" => query,
            trap "queryPtr" => query,
            trap "querySrv" => query,
            trap "querySoa" => query,
            trap "queryTlsa" => query,
            trap "queryTxt" => query,
        },
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

const NO_NAME: i32 = libuv_sys2::uv_errno_t_UV_EAI_NONAME;

/// The port of name servers, where none is said.
const DNS_PORT: u16 = 53;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "cares_wrap", target);
}

struct Request;

fn new_request<'s>(scope: &mut PinScope<'s, '_>, this: Local<'s, Object>, provider: &'static str) {
    wrap::attach(scope, this, Request);
    async_wrap::init_object(scope, this, provider);
}

fn new_addresses_request<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    new_request(scope, args.this(), "GETADDRINFOREQWRAP");
}

fn new_name_request<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    new_request(scope, args.this(), "GETNAMEINFOREQWRAP");
}

fn new_query<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    new_request(scope, args.this(), "QUERYWRAP");
}

/// What the hosts file says, line by line: an address and its names.
fn hosts() -> Vec<(IpAddr, Vec<String>)> {
    let text = fs::read_to_string("/etc/hosts").unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut words = line.split('#').next()?.split_ascii_whitespace();
            let address = words.next()?.parse().ok()?;
            Some((address, words.map(str::to_owned).collect()))
        })
        .collect()
}

/// The address that `name` spells, with fewer than four numbers too, as in `127.1`.
fn literal(name: &str) -> Option<IpAddr> {
    if let Ok(address) = name.parse() {
        return Some(address);
    }
    let numbers = name.split('.').map(|part| match part.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None if part.len() > 1 && part.starts_with('0') => u32::from_str_radix(part, 8).ok(),
        None => part.parse().ok(),
    });
    let numbers: Vec<u32> = numbers.collect::<Option<_>>()?;
    let (&last, first) = numbers.split_last()?;
    let bits = 8 * (4 - first.len().min(3)) as u32;
    if first.len() > 3 || first.iter().any(|number| *number > 255) || u64::from(last) >= 1 << bits {
        return None;
    }
    let high = first.iter().fold(0, |sum, number| sum << 8 | u64::from(*number));
    Some(IpAddr::V4(Ipv4Addr::from_bits((high << bits) as u32 | last)))
}

/// All addresses of `name`.
fn resolve(name: &str) -> Vec<IpAddr> {
    if let Some(address) = literal(name) {
        return vec![address];
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut found = Vec::new();
    for (address, names) in hosts() {
        if names.iter().any(|known| known.eq_ignore_ascii_case(name)) && !found.contains(&address) {
            found.push(address);
        }
    }
    let is_local = name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
    if found.is_empty() && is_local {
        found = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
    }
    found
}

/// Runs `work` off the thread, then calls the request's `oncomplete` with what `arguments` makes of the result.
fn complete<T: Send + 'static>(
    scope: &mut PinScope,
    request: Local<Object>,
    body: impl FnOnce() -> T + Send + 'static,
    arguments: impl for<'s> FnOnce(&mut PinScope<'s, '_>, T) -> Vec<Local<'s, Value>> + 'static,
) {
    wrap::keep_alive(scope, request, true);
    let request = Global::new(scope, request);
    work::queue(body, move |result| {
        realm::enter(|scope| {
            let request = Local::new(scope, request);
            wrap::keep_alive(scope, request, false);
            if let Some(result) = result {
                let arguments = arguments(scope, result);
                callback::method(scope, request, "oncomplete", &arguments);
            }
        });
    });
}

/// `getaddrinfo(request, name, family, hints, order)`
fn get_addresses<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(request) = Local::<Object>::try_from(args.get(0)) else { return };
    let name = args.get(1).to_rust_string_lossy(scope);
    let family = args.get(2).int32_value(scope).unwrap_or_default();
    let hints = args.get(3).int32_value(scope).unwrap_or_default();
    let order = args.get(4).uint32_value(scope).unwrap_or_default();
    let body = move || {
        let all = resolve(&name);
        let (mut v4, mut v6): (Vec<_>, Vec<_>) = all.iter().copied().partition(IpAddr::is_ipv4);
        match family {
            4 => v4,
            6 if v6.is_empty() && hints & libc::AI_V4MAPPED != 0 => {
                let mapped = |ip: &IpAddr| match ip {
                    IpAddr::V4(ip) => IpAddr::V6(ip.to_ipv6_mapped()),
                    IpAddr::V6(_) => *ip,
                };
                v4.iter().map(mapped).collect()
            }
            6 => v6,
            _ => match order {
                1 => {
                    v4.append(&mut v6);
                    v4
                }
                2 => {
                    v6.append(&mut v4);
                    v6
                }
                _ => all,
            },
        }
    };
    complete(scope, request, body, |scope, addresses| {
        let error = if addresses.is_empty() { NO_NAME } else { 0 };
        let texts = js::strings(scope, addresses.iter().map(IpAddr::to_string));
        vec![js::integer(scope, error), texts.into()]
    });
    rv.set_int32(0);
}

/// The name of a service, from the file that lists them.
fn service(port: u16) -> String {
    let text = fs::read_to_string("/etc/services").unwrap_or_default();
    let tcp = format!("{port}/tcp");
    let named = text.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let name = words.next()?;
        (words.next()? == tcp).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| port.to_string())
}

/// `getnameinfo(request, address, port)`
fn get_name<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(request) = Local::<Object>::try_from(args.get(0)) else { return };
    let address: Option<IpAddr> = args.get(1).to_rust_string_lossy(scope).parse().ok();
    let port = args.get(2).uint32_value(scope).unwrap_or_default() as u16;
    let body = move || {
        let line = hosts().into_iter().find(|(known, _)| Some(*known) == address);
        line.and_then(|(_, names)| names.into_iter().next()).map(|name| (name, service(port)))
    };
    complete(scope, request, body, |scope, found| match found {
        Some((name, service)) => {
            vec![js::null(scope), js::string(scope, &name).into(), js::string(scope, &service).into()]
        }
        None => vec![js::integer(scope, NO_NAME)],
    });
    rv.set_int32(0);
}

/// `canonicalizeIP(text)`: the usual spelling of an address; undefined for what is none.
fn canonicalize<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let text = args.get(0).to_rust_string_lossy(scope);
    if let Ok(address) = text.parse::<IpAddr>() {
        rv.set(js::string(scope, &address.to_string()).into());
    }
}

/// `convertIpv6StringToBuffer(text)`: sixteen bytes, or null.
fn ipv6_bytes<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let text = args.get(0).to_rust_string_lossy(scope);
    let address = text.split('%').next().and_then(|text| text.parse::<Ipv6Addr>().ok());
    match address {
        Some(address) => rv.set(buffer::new_buffer(scope, address.octets().to_vec()).into()),
        None => rv.set_null(),
    }
}

/// `strerror(code)`, of c-ares.
fn error_text<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let code = args.get(0).int32_value(scope).unwrap_or_default();
    let text = match code {
        0 => "Successful completion",
        11 => "Could not contact DNS servers",
        17 => "Misformatted IP address",
        _ => "unknown",
    };
    rv.set(js::string(scope, text).into());
}

/// A channel to name servers. It is made while `node:dns` is loaded, and so may come out of a snapshot without its
/// state, which is then what a new one has.
#[derive(Default)]
struct Channel {
    /// The servers that the program chose, if it did.
    servers: RefCell<Option<Vec<(IpAddr, u16)>>>,
}

fn new_channel<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), Channel::default());
    async_wrap::init_object(scope, args.this(), "DNSCHANNEL");
}

fn channel(scope: &mut PinScope, this: Local<Object>) -> std::rc::Rc<Channel> {
    wrap::get::<Channel>(scope, this).unwrap_or_else(|| wrap::attach(scope, this, Channel::default()))
}

/// The name servers of the machine.
fn default_servers() -> Vec<(IpAddr, u16)> {
    let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers: Vec<_> = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("nameserver")?.split_ascii_whitespace().next())
        .filter_map(|address| Some((address.split('%').next()?.parse().ok()?, DNS_PORT)))
        .collect();
    if servers.is_empty() { vec![(Ipv4Addr::LOCALHOST.into(), DNS_PORT)] } else { servers }
}

/// `channel.getServers()`: pairs of address and port.
fn get_servers<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let servers = channel(scope, args.this()).servers.borrow().clone().unwrap_or_else(default_servers);
    let pairs: Vec<Local<Value>> = servers
        .iter()
        .map(|(address, port)| {
            let pair = [js::string(scope, &address.to_string()).into(), js::integer(scope, i32::from(*port))];
            Array::new_with_elements(scope, &pair).into()
        })
        .collect();
    rv.set(Array::new_with_elements(scope, &pairs).into());
}

/// `channel.setServers(servers)`: triples of family, address and port.
fn set_servers<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(list) = Local::<Array>::try_from(args.get(0)) else { return };
    let mut servers = Vec::new();
    for index in 0..list.length() {
        let triple = list.get_index(scope, index).and_then(|triple| Local::<Array>::try_from(triple).ok());
        let Some(triple) = triple else { continue };
        let address = triple.get_index(scope, 1).map(|text| text.to_rust_string_lossy(scope));
        let port = triple.get_index(scope, 2).and_then(|port| port.uint32_value(scope)).unwrap_or_default();
        if let Some(address) = address.and_then(|text| text.split('%').next()?.parse().ok()) {
            servers.push((address, port as u16));
        }
    }
    channel(scope, args.this()).servers.replace(Some(servers));
    rv.set_int32(0);
}

fn nothing<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}

fn query<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    errors::throw_error(scope, "internalBinding('cares_wrap').ChannelWrap: DNS queries are not available in Kiln yet");
}
