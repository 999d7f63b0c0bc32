// Package disk keeps shards as files, one each, self-describing and crash-safe,
// on a volume that is recognised by its marker. It does not know who may put,
// read or remove a shard, it never removes one by itself, and it holds no key.
// It stands on internal/atomicfile, on bbolt for an index that can be rebuilt, and
// on docs/format.md, section 7, for the bytes of a shard file.
//
// # What is on a volume
//
//	holdfast-volume   the marker; without it nothing is written or said
//	shards/           <vault, 2 digits>/<vault>/<segment, 2 digits>/<segment>.<index>
//	tmp/              shards on the way in or out, and hints (below)
//	quarantine/       files that were found corrupt, kept for their operator
//	trash/            shards on their way out, in folders like those of shards/; the
//	                  name of a file says which release it was, and when
//	index.db          the index: what List and Usage know without opening files
//
// # How a shard gets there
//
// Put writes header, payload and Bao outboard to a new file in tmp/, hashing in the
// same pass, flushes it, links it to its place, and flushes that folder; concurrent
// puts into one folder share one flush. These are the only two flushes: one of the
// index as well would double the price of a put, which is about a millisecond of
// CPU whatever the size.
//
// # Why the index may lag behind
//
// The file is the truth; Open and Stat look at nothing else. Changes of the index
// wait in memory and are written together every few seconds, and on Close. So that
// a crash does not leave the index wrong, the name in tmp/ of a shard that was put,
// or removed, stays until the index has been written: it is a hint that the index
// may be wrong about this one key. Opening a volume goes through tmp/, which holds
// no more than a few seconds' work, and asks the shard's place what is true; it
// never walks the shards. Where a file system has no hard links there are no hints;
// after a crash the index is then stale, which Stale tells and Rebuild repairs. A
// file system without a journal may lose hints when the power fails: List and Usage
// then miss the shards of the last seconds until Rebuild is run, Open and Stat do not.
//
// # How a shard gets into the trash, and back
//
// By a second name: the file is linked to where it goes and that folder is flushed,
// before the first name is taken away, into tmp/ as a hint, and its folder is flushed
// too. So it is in one of the two places at least whatever happens in between. If it
// is found in both, it stays on the shelf. Without links it is renamed, and both
// folders are flushed. The trash is not in the index: its names say everything, and
// they are counted when the volume is opened.
//
// # What is never done
//
// A read error of the operating system is not taken for corruption, a missing file
// not for a loss before the marker has been seen again, and a file of a later version
// not for damage. Bytes are served only after they have been verified, and nothing
// but Remove takes a good file away.
package disk
