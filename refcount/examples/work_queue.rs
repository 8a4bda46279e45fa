//! A work queue that hands objects between threads: documents are made by one thread, counted by two others, and the results collected by the
//! first. Each document is read by both workers, and dies when the last of the three threads has dropped it.
//!
//! ```text
//! cargo run --release -p cpymem-refcount --example work_queue [DOCUMENTS]
//! ```

use cpymem_refcount::biased::{BiasedRc, poll};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

static LIVING: AtomicUsize = AtomicUsize::new(0);

/// A text, and the number of the documents that are alive.
struct Document {
    number: usize,
    text: String,
}

impl Document {
    fn new(number: usize) -> BiasedRc<Document> {
        LIVING.fetch_add(1, Ordering::Relaxed);
        let text = format!("spam {} and {} eggs, with spam", number % 7, number % 11);
        BiasedRc::new(Document { number, text })
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        LIVING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a worker has found in a document.
struct Finding {
    document: BiasedRc<Document>,
    what: &'static str,
    number: usize,
}

fn worker(
    what: &'static str,
    count: fn(&str) -> usize,
    documents: mpsc::Receiver<BiasedRc<Document>>,
    findings: mpsc::Sender<Finding>,
) -> impl FnOnce() + Send {
    move || {
        for document in documents {
            let number = count(&document.text);
            if number > 4 {
                // The document goes on with the finding; otherwise this thread's reference ends here.
                findings.send(Finding { document, what, number }).expect("somebody listens");
            }
        }
    }
}

fn main() {
    let documents =
        std::env::args().nth(1).map_or(100_000, |number| number.parse().expect("a number of documents"));
    let (findings, found) = mpsc::channel();
    let (words, to_words) = mpsc::sync_channel(256);
    let (letters, to_letters) = mpsc::sync_channel(256);
    let workers = [
        thread::spawn(worker("words", |text| text.split(' ').count(), to_words, findings.clone())),
        thread::spawn(worker("letters s", |text| text.matches('s').count(), to_letters, findings)),
    ];

    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    let mut most_living = 0;
    let mut receive = |finding: Finding| {
        assert!(finding.document.number < documents);
        *totals.entry(finding.what).or_default() += finding.number;
    };
    for number in 0..documents {
        // Making one looks into the queue of what the workers could not drop alone; so this loop need not `poll`.
        let document = Document::new(number);
        words.send(document.clone()).expect("it works");
        letters.send(document).expect("it works");
        most_living = most_living.max(LIVING.load(Ordering::Relaxed));
        found.try_iter().for_each(&mut receive);
    }
    drop((words, letters));
    workers.into_iter().for_each(|worker| worker.join().expect("no panic"));
    found.iter().for_each(&mut receive);

    // What is left in the queue. A thread that ends does it, too.
    let merged = poll();
    println!(
        "{documents} documents, {totals:?}, at most {most_living} alive at once, {merged} merged in the end"
    );
    assert_eq!(totals["words"], 7 * documents);
    assert_eq!(LIVING.load(Ordering::Relaxed), 0, "all of them have died");
}
