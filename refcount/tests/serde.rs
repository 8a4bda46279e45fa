//! The feature `serde`.
#![cfg(feature = "serde")]

use cpymem_refcount::{rc, sync};
use serde_json::{from_str, to_string};

#[test]
fn values_go_there_and_back() {
    let pair = (rc::Rc::new(1_u8), sync::Arc::<str>::from("two"));
    let json = to_string(&pair).unwrap();
    assert_eq!(json, r#"[1,"two"]"#);
    assert_eq!(from_str::<(rc::Rc<u8>, sync::Arc<str>)>(&json).unwrap(), pair);
    let slice: rc::Rc<[u8]> = from_str("[1,2,3]").unwrap();
    assert_eq!(*slice, [1, 2, 3]);
    assert!(from_str::<sync::Arc<[u8]>>("[1,-2]").is_err());
}

#[test]
fn weak_references_are_optional_values() {
    let strong = sync::Arc::new(5);
    let weak = sync::Arc::downgrade(&strong);
    assert_eq!(to_string(&weak).unwrap(), "5");
    drop(strong);
    assert_eq!(to_string(&weak).unwrap(), "null");
    let read: rc::Weak<u8> = from_str("7").unwrap();
    assert!(read.upgrade().is_none());
    assert!(from_str::<rc::Weak<u8>>("true").is_err());
}
