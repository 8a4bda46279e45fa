//! Structs whose fields are also reachable by name.

use cpymem_slots::object::{AttributeError, Field, InlineCache, Shapes, Slotted, SlottedClass};

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Int(i64),
    Text(String),
}

impl Field<Value> for i64 {
    fn load(&self) -> Value {
        Value::Int(*self)
    }

    fn store(&mut self, value: Value) -> Result<(), Value> {
        let Value::Int(number) = value else { return Err(value) };
        *self = number;
        Ok(())
    }
}

impl Field<Value> for String {
    fn load(&self) -> Value {
        Value::Text(self.clone())
    }

    fn store(&mut self, value: Value) -> Result<(), Value> {
        let Value::Text(text) = value else { return Err(value) };
        *self = text;
        Ok(())
    }
}

#[derive(Slotted)]
#[slotted(value = Value)]
struct Profile {
    name: String,
    #[slotted(skip)]
    token: [u8; 16],
    #[slotted(name = "years")]
    age: i64,
    #[slotted(readonly)]
    id: i64,
    r#type: i64,
}

/// The same names in the same order, of other types.
#[derive(Slotted)]
#[slotted(value = Value)]
struct Pair<A, B> {
    years: A,
    name: B,
}

#[derive(Slotted)]
#[slotted(value = Value)]
struct Nothing {}

fn profile() -> Profile {
    Profile { name: "Alice".into(), token: [7; 16], age: 41, id: 5, r#type: 6 }
}

#[test]
fn fields_are_found_by_name() {
    let mut names = Shapes::new();
    assert_eq!(Profile::FIELDS, ["name", "years", "id", "type"]);
    let class = SlottedClass::<Profile>::new(&mut names).unwrap();
    let [name, years, id, ty, token, age] =
        ["name", "years", "id", "type", "token", "age"].map(|name| names.intern(name));
    let mut alice = profile();
    assert_eq!(class.get(&alice, name, &names), Ok(Value::Text("Alice".into())));
    assert_eq!(class.get(&alice, ty, &names), Ok(Value::Int(6)));
    for absent in [token, age] {
        assert_eq!(class.get(&alice, absent, &names), Err(AttributeError::Absent { name: absent }));
    }
    let mut site = InlineCache::new();
    for number in 0..3 {
        assert_eq!(class.set(&mut alice, years, Value::Int(number), &names), Ok(()));
        assert_eq!(class.get_cached(&alice, &mut site, years, &names), Ok(Value::Int(number)));
        assert_eq!(alice.age, number);
    }
    let refused = Err(AttributeError::ReadOnly { name: id });
    assert_eq!(class.set(&mut alice, id, Value::Int(1), &names), refused);
    let refused = Err(AttributeError::ReadOnly { name });
    assert_eq!(class.set(&mut alice, name, Value::Int(1), &names), refused);
    assert_eq!((alice.id, alice.name.as_str(), alice.token[0]), (5, "Alice", 7));
    assert_eq!(alice.field(4), None);
    assert_eq!(alice.set_field(4, Value::Int(1)), Err(Value::Int(1)));
}

/// A place where structs of several types come by: the cache tells them apart.
#[test]
fn classes_do_not_share_shapes() {
    let mut names = Shapes::new();
    let profiles = SlottedClass::<Profile>::new(&mut names).unwrap();
    let pairs = SlottedClass::<Pair<i64, String>>::new(&mut names).unwrap();
    let swapped = SlottedClass::<Pair<String, i64>>::new(&mut names).unwrap();
    let nothing = SlottedClass::<Nothing>::new(&mut names).unwrap();
    let years = names.intern("years");
    let mut site = InlineCache::new();
    for _ in 0..3 {
        let read = profiles.get_cached(&profile(), &mut site, years, &names);
        assert_eq!(read, Ok(Value::Int(41)));
        let pair = Pair { years: 1i64, name: String::new() };
        assert_eq!(pairs.get_cached(&pair, &mut site, years, &names), Ok(Value::Int(1)));
        let pair = Pair { years: "2".to_owned(), name: 0i64 };
        assert_eq!(swapped.get_cached(&pair, &mut site, years, &names), Ok(Value::Text("2".into())));
        assert!(nothing.get_cached(&Nothing {}, &mut site, years, &names).is_err());
    }
    let mut shapes = vec![profiles.shape(), pairs.shape(), swapped.shape(), nothing.shape(), names.root()];
    shapes.dedup();
    assert_eq!(shapes.len(), 5);
    assert_eq!(names.names(pairs.shape()).len(), 2);
}
