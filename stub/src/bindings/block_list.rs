//! `internalBinding('block_list')`: socket addresses, and lists of addresses to refuse.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use v8::{Array, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use super::messaging::{CLONEABLE, Parcel, Traveller};
use crate::errors::{self, Kind};
use crate::{binding, facts, js, wrap};

crate::room! {
    name: "block_list",
    classes: {
        "SocketAddress" {
            trap new => new_address,
            pure "detail" => detail,
            pure "legacyDetail" => legacy_detail,
            pure "flowlabel" => flow_label,
        },
        "BlockList" {
            trap new => new_list,
            pure "addAddress" => add_address,
            pure "addAddresses" => add_addresses,
            pure "addRange" => add_range,
            pure "addSubnet" => add_subnet,
            pure "removeAddress" => remove_address,
            pure "removeRange" => remove_range,
            pure "removeSubnet" => remove_subnet,
            pure "check" => check,
            pure "checkString" => check_string,
            pure "getRules" => get_rules,
            pure "getSize" => get_size,
            pure "clear" => clear,
        },
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// `AF_INET`
const IPV4: i32 = libc::AF_INET;
/// `AF_INET6`
const IPV6: i32 = libc::AF_INET6;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "block_list", target);
}

#[derive(Clone)]
struct SocketAddress {
    ip: IpAddr,
    port: u16,
    flow_label: u32,
}

/// How addresses travel between realms.
pub const ADDRESSES: Traveller = Traveller {
    mode: |scope, object| wrap::get::<SocketAddress>(scope, object).map(|_| CLONEABLE),
    pack: |scope, object, _| Some(Box::new((*wrap::get::<SocketAddress>(scope, object)?).clone())),
};

impl Parcel for SocketAddress {
    fn unpack<'s>(self: Box<Self>, scope: &mut PinScope<'s, '_>) -> Option<Local<'s, Object>> {
        let text = js::string(scope, &self.ip.to_string());
        let numbers = [u32::from(self.port), family_of(self.ip) as u32, self.flow_label];
        let [port, family, label] = numbers.map(|number| js::number(scope, f64::from(number)));
        binding::construct(scope, "SocketAddress", &[text.into(), port, family, label])
    }
}

/// The address that `text` spells in a family.
fn parse(text: &str, family: i32) -> Option<IpAddr> {
    match family {
        IPV4 => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        // A zone, after a percent sign, says which interface; it is not a part of the address.
        _ => text.split('%').next()?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
    }
}

/// `new SocketAddress(address, port, family, flowLabel)`
fn new_address<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let text = args.get(0).to_rust_string_lossy(scope);
    let family = args.get(2).int32_value(scope).unwrap_or(IPV4);
    let Some(ip) = parse(&text, family) else {
        errors::throw_code(scope, Kind::Error, "ERR_INVALID_ADDRESS", "Invalid socket address");
        return;
    };
    let port = args.get(1).uint32_value(scope).unwrap_or_default() as u16;
    let flow_label = args.get(3).uint32_value(scope).unwrap_or_default();
    wrap::attach(scope, args.this(), SocketAddress { ip, port, flow_label });
}

fn family_of(ip: IpAddr) -> i32 {
    match ip {
        IpAddr::V4(_) => IPV4,
        IpAddr::V6(_) => IPV6,
    }
}

/// Fills the object given with what the address says.
fn detail<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(address) = wrap::get::<SocketAddress>(scope, args.this()) else { return };
    let Ok(target) = Local::<Object>::try_from(args.get(0)) else { return };
    let text = js::string(scope, &address.ip.to_string());
    js::set(scope, target, "address", text);
    for (key, number) in [
        ("port", f64::from(address.port)),
        ("family", f64::from(family_of(address.ip))),
        ("flowlabel", f64::from(address.flow_label)),
    ] {
        let number = js::number(scope, number);
        js::set(scope, target, key, number);
    }
    rv.set(target.into());
}

/// The same as `socket.address()` has it.
fn legacy_detail<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(address) = wrap::get::<SocketAddress>(scope, args.this()) else { return };
    let target = Object::new(scope);
    let text = js::string(scope, &address.ip.to_string());
    js::set(scope, target, "address", text);
    let family = js::string(scope, if address.ip.is_ipv4() { "IPv4" } else { "IPv6" });
    js::set(scope, target, "family", family);
    let port = js::integer(scope, i32::from(address.port));
    js::set(scope, target, "port", port);
    rv.set(target.into());
}

fn flow_label<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(address) = wrap::get::<SocketAddress>(scope, args.this()) {
        rv.set_uint32(address.flow_label);
    }
}

/// What is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Address(IpAddr),
    Subnet(IpAddr, u32),
    Range(IpAddr, IpAddr),
}

impl Rule {
    /// Addresses come first where the rules are told, then subnets, then ranges.
    fn rank(self) -> u8 {
        match self {
            Rule::Address(_) => 0,
            Rule::Subnet(..) => 1,
            Rule::Range(..) => 2,
        }
    }

    fn matches(self, ip: IpAddr) -> bool {
        let (Rule::Address(first) | Rule::Subnet(first, _) | Rule::Range(first, _)) = self;
        // An IPv4 address may come as the IPv6 address that it is mapped to.
        let ip = match (first, ip) {
            (IpAddr::V4(_), IpAddr::V6(ip)) => ip.to_ipv4_mapped().map(IpAddr::V4),
            (IpAddr::V6(_), IpAddr::V4(ip)) => Some(IpAddr::V6(ip.to_ipv6_mapped())),
            _ => Some(ip),
        };
        let Some(ip) = ip.map(bits) else { return false };
        match self {
            Rule::Address(address) => ip == bits(address),
            Rule::Range(start, end) => (bits(start)..=bits(end)).contains(&ip),
            Rule::Subnet(network, prefix) => {
                let rest = if network.is_ipv4() { 32 } else { 128 } - prefix;
                ip.checked_shr(rest).unwrap_or_default() == bits(network).checked_shr(rest).unwrap_or_default()
            }
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        let (Rule::Address(first) | Rule::Subnet(first, _) | Rule::Range(first, _)) = self;
        let family = if first.is_ipv4() { "IPv4" } else { "IPv6" };
        match self {
            Rule::Address(address) => write!(formatter, "Address: {family} {address}"),
            Rule::Subnet(network, prefix) => write!(formatter, "Subnet: {family} {network}/{prefix}"),
            Rule::Range(start, end) => write!(formatter, "Range: {family} {start}-{end}"),
        }
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// The rules, the newest first. Clones of a list, in whatever thread, are one list.
#[derive(Clone, Default)]
struct BlockList(Arc<Mutex<Vec<Rule>>>);

impl BlockList {
    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How lists travel between realms: by reference.
pub const LISTS: Traveller = Traveller {
    mode: |scope, object| wrap::get::<BlockList>(scope, object).map(|_| CLONEABLE),
    pack: |scope, object, _| Some(Box::new((*wrap::get::<BlockList>(scope, object)?).clone())),
};

impl Parcel for BlockList {
    fn unpack<'s>(self: Box<Self>, scope: &mut PinScope<'s, '_>) -> Option<Local<'s, Object>> {
        let object = binding::construct(scope, "BlockList", &[])?;
        wrap::detach(scope, object);
        wrap::attach(scope, object, *self);
        Some(object)
    }
}

fn new_list<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), BlockList::default());
}

fn ip<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> Option<IpAddr> {
    let object = Local::<Object>::try_from(value).ok()?;
    wrap::get::<SocketAddress>(scope, object).map(|address| address.ip)
}

fn add(scope: &mut PinScope, list: Local<Object>, rule: Rule) {
    if let Some(list) = wrap::get::<BlockList>(scope, list) {
        let mut rules = list.rules();
        // An address is in the list once, another rule as often as it was added.
        if rule.rank() != 0 || !rules.contains(&rule) {
            rules.insert(0, rule);
        }
    }
}

fn remove(scope: &mut PinScope, list: Local<Object>, rule: Rule) {
    if let Some(list) = wrap::get::<BlockList>(scope, list) {
        list.rules().retain(|known| *known != rule);
    }
}

fn add_address<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(ip) = ip(scope, args.get(0)) {
        add(scope, args.this(), Rule::Address(ip));
    }
}

fn add_addresses<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Ok(addresses) = Local::<Array>::try_from(args.get(0)) else { return };
    for index in 0..addresses.length() {
        let address = addresses.get_index(scope, index);
        if let Some(ip) = address.and_then(|address| ip(scope, address)) {
            add(scope, args.this(), Rule::Address(ip));
        }
    }
}

fn range<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>) -> Option<Rule> {
    let (start, end) = (ip(scope, args.get(0))?, ip(scope, args.get(1))?);
    (start.is_ipv4() == end.is_ipv4() && start <= end).then_some(Rule::Range(start, end))
}

fn add_range<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    match range(scope, &args) {
        Some(rule) => add(scope, args.this(), rule),
        None => rv.set_bool(false),
    }
}

fn subnet<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>) -> Option<Rule> {
    let network = ip(scope, args.get(0))?;
    let prefix = args.get(1).uint32_value(scope)?;
    Some(Rule::Subnet(network, prefix.min(if network.is_ipv4() { 32 } else { 128 })))
}

fn add_subnet<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(rule) = subnet(scope, &args) {
        add(scope, args.this(), rule);
    }
}

fn remove_address<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(ip) = ip(scope, args.get(0)) {
        remove(scope, args.this(), Rule::Address(ip));
    }
}

fn remove_range<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(rule) = range(scope, &args) {
        remove(scope, args.this(), rule);
    }
}

fn remove_subnet<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(rule) = subnet(scope, &args) {
        remove(scope, args.this(), rule);
    }
}

fn is_blocked(scope: &mut PinScope, list: Local<Object>, ip: Option<IpAddr>) -> bool {
    let list = wrap::get::<BlockList>(scope, list);
    match (list, ip) {
        (Some(list), Some(ip)) => list.rules().iter().any(|rule| rule.matches(ip)),
        _ => false,
    }
}

fn check<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let ip = ip(scope, args.get(0));
    rv.set_bool(is_blocked(scope, args.this(), ip));
}

/// `checkString(address, family)`
fn check_string<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let text = args.get(0).to_rust_string_lossy(scope);
    let ip = parse(&text, args.get(1).int32_value(scope).unwrap_or(IPV4));
    rv.set_bool(is_blocked(scope, args.this(), ip));
}

fn get_rules<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(list) = wrap::get::<BlockList>(scope, args.this()) else { return };
    let mut rules = list.rules().clone();
    rules.sort_by_key(|rule| rule.rank());
    rv.set(js::strings(scope, rules.iter().map(Rule::to_string)).into());
}

fn get_size<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(list) = wrap::get::<BlockList>(scope, args.this()) {
        rv.set_uint32(list.rules().len() as u32);
    }
}

fn clear<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(list) = wrap::get::<BlockList>(scope, args.this()) {
        list.rules().clear();
    }
}
