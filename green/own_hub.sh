#!/bin/sh
# own_hub.sh NAME CRATE MAKE TARGET_DIR [ARGUMENTS...]: the tests of green on a hub from outside of this tree
#
# CRATE is the directory of its crate, MAKE an expression that makes it, a Result: my_hub::MyHub::new(). The tests run on
# a copy of green that has it built in under NAME. ARGUMENTS are for cargo test.
set -eu
name=$1 crate=$(cd "$2" && pwd) make=$3 target=$4
shift 4
tree=$(cd "$(dirname "$0")/.." && pwd)
package=$(sed -n 's/^name = "\(.*\)"$/\1/p' "$crate/Cargo.toml" | head -n 1)
copy=$target/own-hub/$name

rm -rf "$copy"
mkdir -p "$copy"
for entry in "$tree"/*; do
    case ${entry##*/} in
    Cargo.toml | Cargo.lock | green | target) ;;
    *) ln -s "$entry" "$copy/" ;;
    esac
done
cp "$tree/Cargo.lock" "$copy/"
cp -R "$tree/green" "$copy/green"

# A workspace of green alone, on the other crates where they are.
awk -v tree="$tree" '
    /^members = \[/ { print "members = [\"green\"]"; skip = 1 }
    /^exclude = / { next }
    skip { if (/^]/) skip = 0; next }
    !/path = "green"/ { gsub(/path = "/, "&" tree "/") }
    { print }
' "$tree/Cargo.toml" >"$copy/Cargo.toml"
printf '\n[dependencies.%s]\npath = "%s"\n' "$package" "$crate" >>"$copy/green/Cargo.toml"

# The last of the hubs that are built in.
registry=green/src/hubs/registry.rs
awk -v known="Known { name: \"$name\", alias: \"$name\", make: || Ok(Box::new($make?)) }," '
    /^const KNOWN: / { inside = 1 }
    inside && /^];/ { print known; inside = 0 }
    { print }
' "$tree/$registry" >"$copy/$registry"

CARGO_TARGET_DIR=$target GREEN_HUB=$name \
    cargo test --manifest-path "$copy/green/Cargo.toml" --all-features "$@"
