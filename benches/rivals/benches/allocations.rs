//! Heap bytes a verdict, once buffers have grown: counted by the allocator.

use std::alloc::System;
use std::error::Error;

use cap::Cap;
use paygod_rivals::{Engine, Judging, allowed, engines};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

fn main() -> Result<(), Box<dyn Error>> {
    let events = allowed();
    println!("heap bytes a verdict after warm-up");
    for engine in engines(&events)? {
        let Engine {
            name,
            from_json,
            from_read,
        } = engine;
        println!(
            "{:<32} {:>10}",
            format!("{name}, from JSON"),
            bytes(from_json, events.len())?
        );
        if let Some(from_read) = from_read {
            let name = format!("{name}, from its own form");
            println!("{name:<32} {:>10}", bytes(from_read, events.len())?);
        }
    }
    Ok(())
}

fn bytes(mut judge: Judging, events: usize) -> Result<usize, Box<dyn Error>> {
    let mut all = || (0..events).try_for_each(|n| judge(n).map(drop));
    all()?;
    let before = ALLOCATOR.total_allocated();
    for _ in 0..4 {
        all()?;
    }
    Ok((ALLOCATOR.total_allocated() - before).div_ceil(4 * events))
}
