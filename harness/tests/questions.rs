//! What the program answers about heap dumps: planted leaks by name, pinned arenas, hidden references, equal
//! strings, savings of slots; and that no dump, however broken, makes it panic.

mod common;

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

use common::{Random, assert_error, input, open, recordings, sample};
use cpymem_harness::error::Place;
use cpymem_harness::heap::{Dump, Labels};
use cpymem_harness::input::Input;
use cpymem_harness::progress::Progress;
use cpymem_harness::questions::why::Extent;
use cpymem_harness::questions::{audit, dups, growth, holders, pins, savings, why};
use cpymem_harness::report::{Report, Style};

const FEW: Extent = Extent { objects: 3, ways: 4 };

fn quiet() -> Progress {
    Progress::silent()
}

/// The recorded dump of this name, if there is a folder of recordings.
fn recorded(name: &str) -> Option<Input> {
    let paths = recordings("CPYMEM_DATA_HEAPS", ".heap.jsonl.gz");
    let is = |path: &&std::path::PathBuf| {
        path.file_name().is_some_and(|it| it == format!("{name}.heap.jsonl.gz").as_str())
    };
    paths.iter().find(is).map(|path| open(path))
}

/// Every line of a report fits a terminal and is without control characters.
#[track_caller]
fn assert_fits(text: &str) {
    assert!(text.ends_with('\n') && text.len() > 20);
    for line in text.lines().filter(|line| !line.contains('/')) {
        assert!(line.chars().count() <= 80 && !line.chars().any(char::is_control), "{line}");
    }
}

/// A process that grows: a module `app` whose dict names a cache with `cached` entries, a list of `logged` pairs and
/// a function, and a class with instances that have two attributes.
fn growing(cached: u32, logged: u32) -> String {
    let mut rows: Vec<(u32, u32, u8, Vec<u32>, &str)> = Vec::new();
    // module, dict, cache, log, class, class dict, text that all share
    let first = 7;
    let cache: Vec<u32> = (first..first + cached).collect();
    let pairs: Vec<u32> = (0..logged).map(|k| first + cached + 2 * k).collect();
    rows.push((0, 72, 1 | 16, vec![1], "app"));
    rows.push((1, 232, 1, vec![2, 3, 4, 6], ""));
    rows.push((1, 64 + 40 * cached, 1, cache, ""));
    rows.push((2, 56 + 8 * logged, 1, pairs, ""));
    rows.push((3, 1072, 1 | 8, vec![5], "app.Pair"));
    rows.push((1, 232, 1, vec![6], ""));
    rows.push((4, 51, 0, vec![], "00aa"));
    (0..cached).for_each(|_| rows.push((4, 60, 0, vec![], "00bb")));
    for k in 0..logged {
        let text = first + cached + 2 * k + 1;
        rows.push((5, 48, 1, vec![text, 6, 4], ""));
        rows.push((4, 90, 0, vec![], "00cc"));
    }
    let mut counts = vec![0u32; rows.len()];
    rows.iter().flat_map(|row| &row.3).for_each(|&to| counts[to as usize] += 1);
    counts[0] += 1;
    let mut text = String::from(
        "{\"form\": \"PYHEAP 2\", \"python\": \"3.12.1\", \"pid\": 7, \"inline_values\": \"outside size\"}\n",
    );
    let mut edges = 0;
    for (id, ((class, size, flags, referents, label), count)) in rows.iter().zip(&counts).enumerate() {
        let list: Vec<String> = referents.iter().map(u32::to_string).collect();
        edges += list.len();
        let label = if label.is_empty() { String::new() } else { format!(",\"{label}\"") };
        let _ = writeln!(text, "[{id},{class},{size},{flags},{count},0,[{}]{label}]", list.join(","));
    }
    text.push_str("{\"names\":{\"id\":1,\"keys\":[\"CACHE\",\"LOG\",\"Pair\",null]}}\n");
    text.push_str("{\"names\":{\"id\":5,\"keys\":[\"__module__\"]}}\n");
    for (id, (name, more)) in [
        ("builtins.module", ""),
        ("builtins.dict", ",\"gc\":true,\"basicsize\":48"),
        ("builtins.list", ",\"gc\":true,\"basicsize\":40"),
        ("builtins.type", ",\"gc\":true,\"basicsize\":920,\"itemsize\":40"),
        ("builtins.str", ",\"basicsize\":64"),
        ("app.Pair", ",\"gc\":true,\"basicsize\":16,\"heap\":true,\"has_dict\":true,\"kind\":\"dict\""),
    ]
    .iter()
    .enumerate()
    {
        let _ = writeln!(text, "{{\"type\":{{\"id\":{id},\"name\":\"{name}\"{more}}}}}");
    }
    text.push_str("{\"attrs\":{\"type\":5,\"sampled\":1,\"names\":[[\"left\",1],[\"right\",1]],\"order\":[\"left\",\"right\"]}}\n");
    let _ = writeln!(
        text,
        "{{\"end\":{{\"objects\":{},\"edges\":{edges},\"gc_collected_after\":0}}}}",
        rows.len()
    );
    text
}

#[test]
fn the_leaks_of_a_worker_are_owners_by_name() {
    let record = holders::holders(&sample("leaky", "heap.jsonl.gz"), true, &quiet()).unwrap();
    let owners = record.owners.as_deref().unwrap();
    let planted: HashMap<&str, u64> =
        [("w_leaky.CACHE", 2000), ("w_leaky.ERRORS", 182), ("w_leaky.LISTENERS", 286)].into();
    for owner in &owners[..3] {
        assert_eq!(planted.get(owner.path.as_str()), Some(&owner.entries), "{owner:?}");
        assert_eq!(owner.retained_bytes, owner.block_bytes, "nothing else holds what they hold: {owner:?}");
    }
    // The honest one.
    let slug = owners.iter().find(|owner| owner.path == "w_leaky.slug").unwrap();
    assert!(slug.block_bytes < 50_000, "{slug:?}");
    let sum: u64 = record.types.iter().map(|class| class.block_bytes).sum();
    assert_eq!(record.block_bytes, sum);
    assert!(owners.iter().map(|owner| owner.block_bytes).sum::<u64>() <= sum);
    assert!(record.checks.iter().all(|check| check.holds) && record.exact && record.notes.is_empty());
    assert_fits(&record.report(&Style::GRAPHIC));
}

#[test]
fn garbage_is_told_by_the_cycles_that_hold_it() {
    let record = holders::holders(&sample("profiles", "heap.jsonl.gz"), false, &quiet()).unwrap();
    let garbage = &record.garbage;
    assert_eq!((garbage.found, garbage.recorded, garbage.cycles), (1200, Some(1200), 100));
    // A hundred teams with ten members each, which refer back.
    let teams = &garbage.held_by[0];
    let count = |name: &str| teams.types.iter().find(|class| class.name == name).map(|class| class.count);
    assert_eq!((teams.cycles, count("w_mid.Team"), count("w_profiles.D")), (100, Some(100), Some(1000)));
    assert_eq!((teams.held_objects, teams.held_bytes), (garbage.objects, garbage.block_bytes));
    let class = |name: &str| record.types.iter().find(|class| class.name == name).unwrap();
    let member = class("w_profiles.D");
    assert_eq!((member.count, member.garbage_count), (2000, 1000));
    // 128 bytes each on 3.12: the object, and seven values with their header.
    assert_eq!(member.block_bytes, 2000 * 128);
    assert!(member.retained_bytes > member.block_bytes && record.owners.is_none());
    assert_fits(&record.report(&Style::PLAIN));
}

#[test]
fn growth_is_told_by_owner_and_slope() {
    let dumps: Vec<Input> = [(10, 4), (30, 4), (50, 9)].map(|(a, b)| input(growing(a, b))).into();
    let record = growth::growth(&dumps, &quiet()).unwrap();
    assert_eq!((record.same_process, record.owners_left_off), (Some(true), 0));
    let paths: Vec<&str> = record.owners.iter().map(|owner| owner.path.as_str()).collect();
    assert_eq!(paths, ["app.CACHE", "app.LOG"]);
    let cache = &record.owners[0];
    assert_eq!((cache.objects_delta, cache.held_objects_delta, cache.always), (40, 40, true));
    assert_eq!(cache.objects, [11, 31, 51]);
    // Strings of 60 bytes take blocks of 64; the table of the dict is 40 bytes an entry here.
    let bytes = |n: u64| {
        n * 64 + 64 + if 40 * n <= 512 { (40 * n).next_multiple_of(16) } else { (40 * n + 23) / 16 * 16 }
    };
    assert_eq!(cache.bytes, [bytes(10), bytes(30), bytes(50)]);
    assert_eq!(cache.bytes_delta, (bytes(50) - bytes(10)) as i64);
    assert_eq!(cache.slope_per_dump, (bytes(50) - bytes(10)) as f64 / 2.0);
    let log = &record.owners[1];
    assert_eq!((log.objects_delta, log.held_objects_delta, log.always), (5, 10, false));
    let types: Vec<(&str, i64)> =
        record.types.iter().map(|class| (class.name.as_str(), class.objects_delta)).collect();
    assert_eq!(types, [("builtins.str", 45), ("builtins.dict", 0), ("app.Pair", 5), ("builtins.list", 0)]);
    assert_fits(&record.report(&Style::GRAPHIC));

    let still = growth::growth(&[input(growing(9, 9)), input(growing(9, 9))], &quiet()).unwrap();
    assert!(still.owners.is_empty() && still.types.is_empty());
    assert!(still.report(&Style::PLAIN).contains("no owner holds more than at first"));
    let other = growing(9, 9).replace("\"pid\": 7", "\"pid\": 8");
    let different = growth::growth(&[input(growing(9, 9)), input(other)], &quiet()).unwrap();
    assert_eq!(different.same_process, Some(false));
    assert!(different.report(&Style::PLAIN).contains("different processes"));
}

#[test]
fn the_planted_leaks_of_two_recordings_grow_most() {
    let (Some(a), Some(b)) = (recorded("leaky_a"), recorded("leaky_b")) else { return };
    let record = growth::growth(&[a, b], &quiet()).unwrap();
    let mut first: Vec<(&str, i64)> =
        record.owners[..3].iter().map(|owner| (owner.path.as_str(), owner.objects_delta)).collect();
    first.sort_unstable();
    assert_eq!(first, [("w_leaky.CACHE", 2000), ("w_leaky.ERRORS", 182), ("w_leaky.LISTENERS", 286)]);
    let growing = record.owners.iter().filter(|owner| owner.bytes_delta > 0).count();
    assert_eq!((growing, record.same_process), (3, Some(true)), "{:?}", record.owners);
    let of = |name: &str| record.types.iter().find(|class| class.name == name).unwrap().objects_delta;
    assert_eq!([of("w_leaky.Session"), of("w_leaky.Listener"), of("builtins.str")], [442, 286, 2612]);
}

#[test]
fn a_dump_without_names_has_owners_by_module_and_type() {
    let first = |text: String| {
        let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("{\"names\"")).collect();
        format!("{}\n", text.join("\n")).replace("PYHEAP 2", "PYHEAP 1")
    };
    let record = holders::holders(&input(first(growing(20, 5))), true, &quiet()).unwrap();
    assert!(record.notes.iter().any(|note| note.contains("names not in the dump")), "{:?}", record.notes);
    let paths: Vec<&str> = record.owners.iter().flatten().map(|owner| owner.path.as_str()).collect();
    assert!(paths.contains(&"app.<builtins.dict>") && paths.contains(&"app.<builtins.list>"), "{paths:?}");
    let two = growth::growth(&[input(first(growing(5, 5))), input(first(growing(25, 5)))], &quiet()).unwrap();
    assert_eq!((two.owners[0].path.as_str(), two.owners[0].objects_delta), ("app.<builtins.dict>", 20));
}

#[test]
fn ways_are_told_by_names() {
    let told = |input: &Input, target: &str| why::why(input, target, FEW, &quiet()).unwrap();
    let pair = told(&input(growing(3, 2)), "Pair").unwrap();
    assert_eq!((pair.matches, pair.objects.len()), (2, 2));
    let way = &pair.objects[0].ways[0];
    assert_eq!((way.start, way.text.as_str()), ("module", "app.LOG <list> -> <app.Pair>"));
    assert_eq!(way.steps.iter().map(|step| step.id).collect::<Vec<_>>(), [0, 1, 3, 10]);
    // A string by its number, held by an attribute.
    let text = told(&input(growing(3, 2)), "11").unwrap();
    assert_eq!(text.objects[0].ways[0].text, "app.LOG <list> -> <app.Pair>.left <str>");
    let shared = told(&input(growing(3, 2)), "6").unwrap();
    assert_eq!((shared.objects[0].ways.len(), shared.objects[0].references), (4, Some(4)));
    assert!(told(&input(growing(3, 2)), "Nothing").is_none() && told(&input(growing(3, 2)), "99").is_none());

    let leaky = sample("leaky", "heap.jsonl.gz");
    let session = told(&leaky, "w_leaky.Session").unwrap();
    assert_eq!((session.matches, session.owners.len()), (442, 2));
    let texts: Vec<&str> = session.objects.iter().map(|object| object.ways[0].text.as_str()).collect();
    assert_eq!(texts[0], "w_leaky.LISTENERS <list> -> <w_leaky.Listener>.owner <w_leaky.Session>");
    assert!(texts[1].starts_with("w_leaky.ERRORS <list> -> <ValueError> -> <traceback>"), "{texts:?}");
    assert_eq!(texts[2], texts[0]);
    assert_fits(&session.report(&Style::PLAIN));
    // Garbage is said to be that.
    let team =
        why::why(&sample("profiles", "heap.jsonl.gz"), "Team", Extent { objects: 200, ways: 1 }, &quiet());
    let team = team.unwrap().unwrap();
    let dead: Vec<_> = team.objects.iter().filter(|object| !object.alive).collect();
    assert!(dead.len() == 100 && dead.iter().all(|object| object.ways[0].start == "garbage"));
}

#[test]
fn pools_have_the_types_of_their_objects_and_totals_are_cpythons() {
    let record = pins::pins(&sample("leaky", "heap.jsonl.gz"), true, &quiet()).unwrap();
    assert!(record.checks.len() == 5 && record.checks.iter().all(|check| check.holds), "{:?}", record.checks);
    let recorded = record.recorded.as_ref().unwrap();
    let parts =
        recorded.allocated_bytes + recorded.available_bytes + recorded.unused_bytes + recorded.lost_bytes;
    assert_eq!((recorded.arenas_bytes, parts), (recorded.arenas << 20, recorded.arenas << 20));
    let pools = record.pools.as_deref().unwrap();
    assert!(pools.len() as u64 == record.seen.pools && pools.iter().all(|pool| !pool.types.is_empty()));
    assert_eq!(pools.iter().map(|pool| pool.objects).sum::<u64>(), record.seen.objects);
    assert_eq!(record.fill.iter().map(|row| row.arenas).sum::<u64>(), record.seen.arenas);
    assert!(record.seen.block_bytes <= recorded.allocated_bytes);
    assert_fits(&record.report(&Style::GRAPHIC));
}

#[test]
fn survivors_that_pin_arenas_are_named() {
    let Some(pinned) = recorded("pinned") else { return };
    let record = pins::pins(&pinned, false, &quiet()).unwrap();
    assert!(record.checks.iter().all(|check| check.holds), "{:?}", record.checks);
    let names: Vec<&str> = record.pinned_by.iter().map(|pin| pin.name.as_str()).collect();
    for survivor in ["w_profiles.D", "builtins.str", "builtins.int", "builtins.float"] {
        let pin =
            record.pinned_by.iter().find(|pin| pin.name == survivor).unwrap_or_else(|| panic!("{names:?}"));
        assert!(pin.arenas == 19 && pin.owner.as_deref() == Some("w_pinned.CACHE"), "{pin:?}");
    }
    assert_eq!((record.seen.nearly_empty_arenas, record.pools.is_none()), (19, true));
    assert!(record.seen.pinning_bytes < 500_000, "{:?}", record.seen);
}

#[test]
fn an_extension_type_without_traversal_is_named() {
    let record = audit::audit(&sample("hidden", "heap.jsonl.gz"), &quiet()).unwrap();
    let holder = &record.holders[0];
    assert_eq!(
        (holder.name.as_str(), holder.instances, holder.hidden_references),
        ("hidden.Holder", 1234, 1234)
    );
    assert!(!holder.collected && holder.to == ["hidden_nodes.Node"], "{holder:?}");
    let target = record.targets.iter().find(|target| target.name == "hidden_nodes.Node").unwrap();
    assert_eq!((target.hidden_references, target.charged_references), (1234, 1234));
    assert!(record.hidden_references >= 1234 && record.suspects.iter().all(|it| it.name != "hidden.Holder"));
    assert_fits(&record.report(&Style::PLAIN));
    // Programs without such a type are not accused.
    for name in ["leaky", "profiles", "threads"] {
        let record = audit::audit(&sample(name, "heap.jsonl.gz"), &quiet()).unwrap();
        assert!(record.holders.iter().all(|it| it.hidden_references == 0), "{name}: {:?}", record.holders);
    }
}

#[test]
fn equal_strings_are_those_with_equal_hashes() {
    let leaky = sample("leaky", "heap.jsonl.gz");
    let record = dups::dups(&leaky, &quiet()).unwrap();
    let dump = Dump::read(&leaky, Labels::Keep).unwrap();
    let mut by_hash: HashMap<(&str, &str), u64> = HashMap::new();
    for id in dump.ids() {
        if ["builtins.str", "builtins.bytes"].contains(&dump.type_name(id))
            && let Some(hash) = dump.label(id)
        {
            *by_hash.entry((dump.type_name(id), hash)).or_default() += 1;
        }
    }
    assert_eq!((record.different, record.strings), (by_hash.len() as u64, by_hash.values().sum()));
    assert_eq!(record.copies, record.strings - record.different);
    assert!(record.copies > 500, "{}", record.copies);
    for group in &record.groups {
        assert_eq!(by_hash[&(group.class.as_str(), group.hash.as_str())], group.count);
    }
    assert!(record.groups.is_sorted_by(|a, b| a.saved_bytes >= b.saved_bytes));
    assert_fits(&record.report(&Style::GRAPHIC));

    let small = dups::dups(&input(growing(5, 3)), &quiet()).unwrap();
    assert_eq!((small.strings, small.different, small.copies, small.saved_bytes), (9, 3, 6, 4 * 64 + 2 * 96));
    assert_eq!((small.owners[0].path.as_str(), small.owners[0].copies), ("app.CACHE", 4));
    let without = sample("threads", "heap.jsonl.gz");
    assert_error(dups::dups(&without, &quiet()), Place::Line(1), "no hashes of strings");
}

#[test]
fn slots_save_what_the_model_says() {
    let record = savings::savings(&sample("profiles", "heap.jsonl.gz"), &quiet()).unwrap();
    let class = record.classes.iter().find(|class| class.name == "w_profiles.D").unwrap();
    assert_eq!(class.attributes, ["id", "name", "mail", "age", "score", "tags", "team"]);
    assert_eq!((class.count, class.with_dict_object, class.now_bytes), (1000, 0, 1000 * 128));
    let here = class.versions.iter().find(|it| it.python == "3.12").unwrap();
    assert_eq!((here.dict_bytes, here.slots_bytes), (Some(128), Some(96)));
    assert_eq!(class.saved_bytes, Some(1000 * (128 - 96)));
    assert_eq!(record.classes[0].name, "w_profiles.D");
    assert!(record.classes.is_sorted_by(|a, b| a.saved_bytes >= b.saved_bytes));
    assert_fits(&record.report(&Style::GRAPHIC));
}

#[test]
fn dumps_that_are_not_exact_or_not_known_say_so() {
    let threaded = growing(5, 3).replace("3.12.1", "3.13.0t").replace("[0,0,72,17,1", "[0,0,72,17,0");
    let record = holders::holders(&input(threaded.clone()), true, &quiet()).unwrap();
    assert!(
        !record.exact && record.notes.iter().any(|note| note.contains("not exact")),
        "{:?}",
        record.notes
    );
    assert!(record.report(&Style::PLAIN).contains("note: counts are not exact"));
    assert_error(pins::pins(&input(threaded), false, &quiet()), Place::Line(1), "without pymalloc");
    // The same contradiction in a build with the GIL is an error.
    let wrong = growing(5, 3).replace("[0,0,72,17,1", "[0,0,72,17,0");
    assert_error(holders::holders(&input(wrong), true, &quiet()), Place::Line(2), "should be dead");

    let unknown = growing(5, 3).replace("3.12.1", "3.99.0");
    let record = holders::holders(&input(unknown), false, &quiet()).unwrap();
    assert!(record.exact && record.notes[0].contains("CPython 3.99.0 is not modelled"), "{:?}", record.notes);
    let record = holders::holders(&input(growing(5, 3).replace("3.12.1", "x")), false, &quiet()).unwrap();
    assert!(record.notes[0].contains("not modelled"), "{:?}", record.notes);
    assert_error(pins::pins(&input(growing(5, 3)), false, &quiet()), Place::Line(1), "smaps");
}

/// All questions on one input.
fn ask_everything(input: &Input) -> usize {
    let answers = [
        holders::holders(input, true, &quiet()).map(|it| it.report(&Style::PLAIN)),
        why::why(input, "Pair", FEW, &quiet())
            .map(|it| it.map_or(String::new(), |it| it.report(&Style::PLAIN))),
        why::why(input, "6", FEW, &quiet()).map(|it| it.map_or(String::new(), |it| it.report(&Style::PLAIN))),
        pins::pins(input, true, &quiet()).map(|it| it.report(&Style::PLAIN)),
        audit::audit(input, &quiet()).map(|it| it.report(&Style::PLAIN)),
        dups::dups(input, &quiet()).map(|it| it.report(&Style::PLAIN)),
        savings::savings(input, &quiet()).map(|it| it.report(&Style::PLAIN)),
    ];
    answers.iter().filter(|answer| answer.is_ok()).count()
}

#[test]
fn damaged_dumps_are_errors_or_other_dumps() {
    let mut text = growing(4, 3);
    let smaps = "{\"process\":{\"smaps\":[[4096,2101248,4,4,\"\"]],\"mallocstats\":\"1 arenas * 1048576 bytes/arena = 1\\nTotal = 1\"}}\n";
    text.insert_str(text.find('\n').unwrap() + 1, smaps);
    let text = text.replace(",0,[", ",8192,[");
    assert_eq!(ask_everything(&input(text.clone())), 7);
    let mut random = Random(3);
    let mut answered = 0;
    for _ in 0..4_000 {
        let mut bytes = text.clone().into_bytes();
        for _ in 0..1 + random.below(3) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = b"0123456789,[]-\"{}"[random.below(17) as usize],
                _ => {
                    bytes.remove(at);
                }
            }
        }
        answered += ask_everything(&input(bytes));
    }
    assert!(answered > 1_000, "{answered}");
}

/// Counts at the limits of their types: sums saturate, and nothing is allocated for a number alone.
#[test]
fn huge_numbers_are_numbers() {
    let most = u64::MAX.to_string();
    let text = growing(4, 3)
        .replace("[2,1,224,", &format!("[2,1,{most},"))
        .replace("\"basicsize\":16", &format!("\"basicsize\":{most},\"itemsize\":-1"));
    assert!(text.contains(&most));
    assert_eq!(ask_everything(&input(text)), 6, "all but pins, for which there is no map");
    let deep: String = (0..60_000).map(|id| format!("[{id},0,16,1,1,0,[{}]]\n", (id + 1) % 60_000)).collect();
    let deep = format!(
        "{{\"form\": \"PYHEAP 2\"}}\n{deep}{{\"type\":{{\"id\":0,\"name\":\"t\"}}}}\n{{\"end\":{{\"objects\":60000,\"edges\":60000}}}}\n"
    );
    let record = holders::holders(&input(deep), true, &quiet()).unwrap();
    assert_eq!((record.garbage.found, record.garbage.cycles), (60_000, 1));
}

#[test]
fn every_recording_is_answered() {
    for path in recordings("CPYMEM_DATA_HEAPS", ".heap.jsonl.gz") {
        let input = open(Path::new(&path));
        let record = holders::holders(&input, true, &quiet()).unwrap();
        assert!(record.checks.iter().all(|check| check.holds), "{}: {:?}", path.display(), record.checks);
        assert_fits(&record.report(&Style::GRAPHIC));
        let pins = pins::pins(&input, false, &quiet()).unwrap();
        assert!(pins.checks.iter().all(|check| check.holds), "{}: {:?}", path.display(), pins.checks);
        assert_fits(&pins.report(&Style::GRAPHIC));
        assert_fits(&audit::audit(&input, &quiet()).unwrap().report(&Style::GRAPHIC));
        assert_fits(&savings::savings(&input, &quiet()).unwrap().report(&Style::GRAPHIC));
    }
}
