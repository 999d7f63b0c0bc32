package audit

import (
	"errors"
	"iter"
	"math/rand/v2"
	"time"

	"go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/ledger/custody"
)

// This file holds the rule of when a shard is missing.
//
// SPEC: the holder's own word: the shard is missing after it said so twice, at least a
// round apart, or inventory and challenge agree. Bytes that do not verify: three
// strikes, re-challenged at once. A holder that answers for other shards, and never for
// this one, has it no more than one that says so; nor has one that always says that it
// cannot tell.

// Shard is one that a holder should have and does not.
type Shard struct {
	custody.Shard
	Node  ident.PublicKey // the holder
	Since time.Time       // when that was found out
}

// source is where a doubt about a shard comes from.
type source int

const (
	fromChallenge source = 1 << iota // the holder said in an audit that it does not have it, or that it is bad
	fromInventory                    // its inventory does not list it
	fromSilence                      // it answers for others and not for this one
	fromExcuse                       // it answers that it cannot tell now: one of its volumes is away, or fails

	untold = fromSilence | fromExcuse
)

// doubt is that a holder may not have a shard. Times are in milliseconds.
type doubt struct {
	First   int64  `cbor:"first"`
	Last    int64  `cbor:"last"`
	Sources source `cbor:"src"`
	Silent  int64  `cbor:"silent"` // times that it said nothing of the shard, and did of others
}

// silences is how often a holder may answer for others and say nothing of one shard.
const silences = 3

// settles says whether one more word makes the shard a missing one.
func (d doubt) settles(from source, now int64, rules Rules) bool {
	apart := now-d.Last >= rules.Every.Milliseconds()/2
	switch {
	case from&untold != 0:
		return d.Silent+1 >= silences && now-d.First >= rules.RepairAfter.Milliseconds()
	case d.Sources&^untold == 0:
		return false // the first word
	}
	return apart || d.Sources&from == 0
}

// doubted enters what was found of shards of one holder, all from the same source, and
// returns how many of them are missing from now on.
func (b *Board) doubted(at place, from source, shards []custody.Shard) (missing int64, err error) {
	now := ledger.Millis(b.rules.Now())
	missing, err = b.rows(at, shards, func(tx *bbolt.Tx, key []byte) (int64, error) { return b.doubtOne(tx, key, from, now) })
	failed := missing
	if from&untold != 0 {
		failed = 0 // a volume that is not there is an accident, and no failed audit
	}
	b.count(at, missing, failed)
	return missing, err
}

func (b *Board) doubtOne(tx *bbolt.Tx, key []byte, from source, now int64) (missing int64, err error) {
	doubts, found := tx.Bucket(bucketDoubts), tx.Bucket(bucketMissing)
	before, known := parseAbsence(found.Get(key))
	if known && !before.promised() {
		return 0, nil
	}
	d := doubt{First: now}
	if p := doubts.Get(key); p != nil {
		if err := wire.Decode(p, &d); err != nil {
			return 0, err
		}
		if d.settles(from, now, b.rules) {
			return 1, errors.Join(doubts.Delete(key), found.Put(key, before.again(now).encode()))
		}
		if now-d.Last < b.rules.Every.Milliseconds()/2 && d.Sources&from != 0 {
			return 0, nil // the same word once more
		}
	}
	d.Last, d.Sources = now, d.Sources|from
	if from&untold != 0 {
		d.Silent++
	}
	p, err := wire.Encode(d)
	if err != nil {
		return 0, err
	}
	return 0, doubts.Put(key, p)
}

// count adds to what is missing of a holder, and to its failures. What is found once makes
// the auditor look closer, at so many groups as find the loss of one in a hundred.
func (b *Board) count(at place, missing, failed int64) {
	if missing == 0 && failed == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.record(at)
	v.Missing = max(v.Missing+missing, 0)
	if missing > 0 {
		v.Alert = SamplesForOnePercent
	}
	if failed > 0 {
		v.failed(failed)
	}
}

// Lost enters shards that a holder does not have, for sure: its own shelf has said so,
// or it has sent other bytes for them again and again.
func (b *Board) Lost(vault ident.CID, node ident.PublicKey, shards ...custody.Shard) error {
	_, err := b.lost(place{vault, node}, shards)
	return err
}

// lost returns how many of the shards were not known to be missing.
func (b *Board) lost(at place, shards []custody.Shard) (added int64, err error) {
	now := ledger.Millis(b.rules.Now())
	added, err = b.rows(at, shards, func(tx *bbolt.Tx, key []byte) (int64, error) {
		before, known := parseAbsence(tx.Bucket(bucketMissing).Get(key))
		if known && !before.promised() {
			return 0, nil
		}
		return 1, errors.Join(tx.Bucket(bucketDoubts).Delete(key), tx.Bucket(bucketMissing).Put(key, before.again(now).encode()))
	})
	b.count(at, added, added)
	return added, err
}

// knows reports whether a shard is known to be missing.
func (b *Board) knows(at place, s custody.Shard) (known bool) {
	_ = b.db.View(func(tx *bbolt.Tx) error {
		a, there := parseAbsence(tx.Bucket(bucketMissing).Get(append(at.key(), shardKey(s)...)))
		known = there && !a.promised()
		return nil
	})
	return known
}

// Found forgets that shards of a holder are missing, or in doubt: it has proved them,
// or they are not its own any more.
func (b *Board) Found(vault ident.CID, node ident.PublicKey, shards ...custody.Shard) error {
	at := place{vault, node}
	found, err := b.rows(at, b.entered(at, shards), forgetRow)
	b.count(at, -found, 0)
	return err
}

// forgetRow returns 1 if the shard was missing.
func forgetRow(tx *bbolt.Tx, key []byte) (found int64, err error) {
	if a, known := parseAbsence(tx.Bucket(bucketMissing).Get(key)); known && !a.promised() {
		found = 1
	}
	return found, errors.Join(tx.Bucket(bucketDoubts).Delete(key), tx.Bucket(bucketMissing).Delete(key))
}

// entered returns those of the shards that are missing, or in doubt: mostly none, and
// then nothing has to be written.
func (b *Board) entered(at place, shards []custody.Shard) (known []custody.Shard) {
	_ = b.db.View(func(tx *bbolt.Tx) error {
		for _, s := range shards {
			key := append(at.key(), shardKey(s)...)
			if tx.Bucket(bucketDoubts).Get(key) != nil || tx.Bucket(bucketMissing).Get(key) != nil {
				known = append(known, s)
			}
		}
		return nil
	})
	return known
}

// Missing goes through the shards of a vault that their holders do not have, by holder.
// What changes meanwhile may or may not be seen.
func (b *Board) Missing(vault ident.CID) iter.Seq[Shard] {
	return func(yield func(Shard) bool) {
		for s := range b.each(bucketMissing, vault.Bytes()) {
			a, ok := parseAbsence(s.value)
			if ok && !a.promised() && !yield(Shard{s.shard, s.at.node, ledger.Time(a.since)}) {
				return
			}
		}
	}
}

// open returns some of what is to be asked for again: shards of which the holder has said
// something, those that are missing included, since it may have them again; and shards
// for which it did not answer.
func (b *Board) open(at place, random *rand.Rand) (talked, silent []custody.Shard) {
	for e := range b.around(bucketDoubts, at, random) {
		var d doubt
		if wire.Decode(e.value, &d) != nil {
			continue
		}
		if d.Sources == fromSilence && len(silent) < silentLimit {
			silent = append(silent, e.shard)
		}
		if d.Sources&(fromChallenge|fromExcuse) != 0 && len(talked) < retestLimit {
			talked = append(talked, e.shard)
		}
	}
	for e := range b.around(bucketMissing, at, random) {
		if len(talked) == retestLimit {
			break
		}
		talked = append(talked, e.shard)
	}
	return talked, silent
}

// doubtedBy goes through the shards of a holder whose only doubt has one source.
func (b *Board) doubtedBy(at place, from source) iter.Seq[custody.Shard] {
	return func(yield func(custody.Shard) bool) {
		for e := range b.each(bucketDoubts, at.key()) {
			var d doubt
			if wire.Decode(e.value, &d) == nil && d.Sources == from && !yield(e.shard) {
				return
			}
		}
	}
}

// tell enters what a visit says about the holder as a whole, and how many shards it has
// lied about that were not known to be missing.
func (b *Board) tell(w *visit, lies int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.rules.Now()
	v := b.record(w.at)
	v.Issued += w.issued
	v.passed(w.passed)
	v.Mute.heard(w.spoke, ledger.Millis(now), 3*b.rules.Every)
	switch {
	case w.contact != Served:
		v.Timeouts++
	case len(w.silent)+len(w.excused) == 0 && !w.withheld && !w.refused:
		v.Round = ledger.Millis(now)
	}
	if w.compared > 0 {
		v.Inventory, v.Hurry = w.compared, false
	}
	// What it has just said of one shard is reason to look at all of them, and to ask
	// once more about what its inventory lacks.
	v.Hurry = v.Hurry || w.news || len(w.lacking) > 0
	for range lies {
		v.lied(now)
	}
}
