//! Threads that come and go, and hand objects to one another: every value is checked when it is used and when it dies, and deaths are counted against
//! births.
//!
//! ```text
//! CPYMEM_CHURN_SECONDS=60 cargo test --release -p cpymem-refcount --test churn
//! ```

use cpymem_refcount::biased::{BiasedRc, Watch, Weak, poll};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

static BIRTHS: AtomicU64 = AtomicU64::new(0);
static DEATHS: AtomicU64 = AtomicU64::new(0);
static WATCHED: AtomicU64 = AtomicU64::new(0);
static CALLED: AtomicU64 = AtomicU64::new(0);

const ALIVE: u64 = 0x5AFE_C0DE_5AFE_C0DE;
const DEAD: u64 = 0xDEAD_BEEF_DEAD_BEEF;

/// A value that knows what it is, and whether it is alive; it may own others.
struct Value {
    serial: u64,
    check: AtomicU64,
    owned: Vec<BiasedRc<Value>>,
}

impl Value {
    fn new(owned: Vec<BiasedRc<Value>>) -> Value {
        let serial = BIRTHS.fetch_add(1, Ordering::Relaxed);
        Value { serial, check: AtomicU64::new(serial ^ ALIVE), owned }
    }

    fn check(&self) {
        assert_eq!(self.check.load(Ordering::Relaxed) ^ self.serial, ALIVE, "used after its death");
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.check();
        self.owned.iter().for_each(|object| object.check());
        *self.check.get_mut() = DEAD;
        DEATHS.fetch_add(1, Ordering::Relaxed);
    }
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }
}

/// Where threads leave objects for one another.
struct Market {
    strong: [Mutex<Option<BiasedRc<Value>>>; 32],
    weak: [Mutex<Weak<Value>>; 8],
}

/// What a thread has, and takes along to the end of its thread-locals.
#[derive(Default)]
struct Kept(RefCell<Vec<BiasedRc<Value>>>);

impl Drop for Kept {
    fn drop(&mut self) {
        for object in self.0.take() {
            object.check();
            drop(object.clone());
        }
    }
}

thread_local! {
    static KEPT: Kept = Kept::default();
}

fn turn(random: &mut Random, mine: &mut Vec<BiasedRc<Value>>, market: &Market) {
    let place = &market.strong[random.below(32)];
    match random.below(20) {
        0..4 => {
            let owned = if random.below(4) == 0 { mine.pop().into_iter().collect() } else { Vec::new() };
            mine.push(BiasedRc::new(Value::new(owned)));
        }
        4..7 if !mine.is_empty() => {
            let clone = mine[random.below(mine.len())].clone();
            clone.check();
            mine.push(clone);
        }
        7..10 if !mine.is_empty() => drop(mine.swap_remove(random.below(mine.len()))),
        10..15 => {
            let give = (!mine.is_empty()).then(|| mine.swap_remove(random.below(mine.len())));
            let take = std::mem::replace(&mut *place.lock().unwrap(), give);
            mine.extend(take.inspect(|object| object.check()));
        }
        15 => {
            if let Some(object) = &*place.lock().unwrap() {
                object.check();
                mine.push(object.clone());
            }
        }
        16 if !mine.is_empty() => {
            let weak = BiasedRc::downgrade(&mine[random.below(mine.len())]);
            let before = std::mem::replace(&mut *market.weak[random.below(8)].lock().unwrap(), weak);
            drop(before);
        }
        17 => {
            let object = market.weak[random.below(8)].lock().unwrap().upgrade();
            mine.extend(object.inspect(|object| object.check()));
        }
        18 if !mine.is_empty() => {
            let at = random.below(mine.len());
            match random.below(6) {
                0 => {
                    if let Some(value) = BiasedRc::get_mut(&mut mine[at]) {
                        value.check();
                        *value.check.get_mut() = value.serial ^ ALIVE;
                    }
                }
                1 => match BiasedRc::try_unwrap(mine.swap_remove(at)) {
                    Ok(value) => value.check(),
                    Err(object) => object.check(),
                },
                2 => drop(BiasedRc::adopt(&mut mine[at])),
                3 => BiasedRc::disown(&mine[at]),
                4 => {
                    WATCHED.fetch_add(1, Ordering::Relaxed);
                    Watch::detach(BiasedRc::downgrade_with(&mine[at], |weak| {
                        assert!(weak.upgrade().is_none());
                        CALLED.fetch_add(1, Ordering::Relaxed);
                    }));
                }
                _ => drop(BiasedRc::into_inner(mine.swap_remove(at)).inspect(Value::check)),
            }
        }
        _ => drop(poll()),
    }
    while mine.len() > 64 {
        drop(mine.swap_remove(random.below(mine.len())));
    }
}

/// A thread of some thousand turns, which leaves what it has to its thread-locals, or drops it.
fn life(seed: u64, market: &Market) {
    let mut random = Random(seed);
    let mut mine = Vec::new();
    for _ in 0..random.below(5_000) {
        turn(&mut random, &mut mine, market);
    }
    if random.below(2) == 0 {
        KEPT.with(|kept| kept.0.borrow_mut().append(&mut mine));
    }
}

#[test]
fn deaths_equal_births() {
    let seconds = std::env::var("CPYMEM_CHURN_SECONDS")
        .map_or(1, |seconds| seconds.parse().expect("a number of seconds"));
    let market = Arc::new(Market {
        strong: std::array::from_fn(|_| Mutex::default()),
        weak: std::array::from_fn(|_| Mutex::default()),
    });
    let end = Instant::now() + Duration::from_secs(seconds);
    let lives = AtomicU64::new(0);
    thread::scope(|scope| {
        // In each of them one thread lives at a time.
        for _ in 0..4 {
            scope.spawn(|| {
                while Instant::now() < end {
                    let seed = lives.fetch_add(1, Ordering::Relaxed) + 1;
                    let market = market.clone();
                    thread::spawn(move || life(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), &market))
                        .join()
                        .expect("no panic");
                }
            });
        }
    });
    drop(Arc::into_inner(market).expect("all threads have ended"));
    poll();
    let (births, deaths) = (BIRTHS.load(Ordering::Relaxed), DEATHS.load(Ordering::Relaxed));
    println!("{births} births and {deaths} deaths in {} threads", lives.into_inner());
    assert!(births > 1_000);
    assert_eq!(births, deaths);
    assert_eq!(WATCHED.load(Ordering::Relaxed), CALLED.load(Ordering::Relaxed));
}
