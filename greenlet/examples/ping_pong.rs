//! Two greenlets that take turns.
//!
//! ```text
//! $ cargo run -p greenlet --example ping_pong
//! ping 1
//! pong 2
//! ping 3
//! pong 4
//! ping 5
//! pong 6
//! ```

use greenlet::{Greenlet, SwitchError, main_greenlet};

fn main() -> Result<(), SwitchError> {
    // What `pong` gets first is its partner, and a number ever after.
    let pong = Greenlet::new(|ping: Greenlet<u32, ()>| -> Result<(), SwitchError> {
        let mut n: u32 = ping.switch_as(1)?;
        loop {
            println!("pong {n}");
            n = ping.switch_as(n + 1)?;
        }
    });
    let partner = pong.as_any().clone();
    let ping = Greenlet::new(move |mut n: u32| {
        while n < 6 {
            println!("ping {n}");
            let Ok(next) = partner.switch(n + 1) else {
                return;
            };
            n = next;
        }
    });
    pong.switch_as::<()>(ping)?;
    // The end of `ping` has brought us here; `pong` still waits, and is unwound when its last handle goes.
    assert!(pong.is_active() && main_greenlet().is_current());
    Ok(())
}
