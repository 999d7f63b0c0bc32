package schedule

import (
	"fmt"
	"math/bits"

	"holdfast/internal/ident"
)

// place is where a vote counts, as ledger.Place is. Charters are numbered; 0 is the first.
type place struct {
	charter, lane   int
	height, attempt int64
}

func (p place) String() string {
	return fmt.Sprintf("charter %d lane %d height %d attempt %d", p.charter, p.lane, p.height, p.attempt)
}

// at is p at another attempt.
func (p place) at(attempt int64) place {
	p.attempt = attempt
	return p
}

// entry is one link of a lane. Entries are numbered from 1 on; 0 is none.
type entry struct {
	charter, lane int
	height        int64
	prev          int
	refs          segments
	next          int       // of kind charter: the successor
	starts        []subject // of kind charter: after which the other lanes go on
}

// name is the CID that the rules know an entry by.
func name(id int) ident.CID {
	if id == 0 {
		return ident.CID{}
	}
	return ident.NewCID(ident.DagCBOR, [32]byte{byte(id), byte(id >> 8), 1})
}

// named is the inverse of name.
func named(id ident.CID) int {
	h := id.Hash()
	return int(h[0]) | int(h[1])<<8
}

// subject is an entry at a place: what is voted for, certified, acknowledged.
type subject struct {
	place
	entry int
}

// report is a member's word about a height below an attempt.
type report struct {
	place
	member  int
	highest subject // the certificate in it; entry 0 for none
}

// set is a set of members.
type set uint32

func (s set) with(member int) set { return s | 1<<member }

func (s set) has(member int) bool { return s&(1<<member) != 0 }

func (s set) size() int { return bits.OnesCount32(uint32(s)) }

// height is one height of a lane, whatever the charter.
type height struct {
	lane   int
	height int64
}

// facts is all that was ever signed, and what follows from it. Liars sign everything, so
// that only the honest members' words are written down: a certificate exists as soon as
// the honest votes and the liars together are a quorum, whether anybody has put it
// together or not.
type facts struct {
	members, liars, quorum int
	weak                   weakness

	entries []entry
	votes   map[subject]set
	acks    map[subject]set
	reports map[place][]report
	certs   []subject
	at      map[place]int // the certified entry
	final   map[height]subject

	charters int // that there are besides the first
	freezes  []freeze
	force    map[int]subject // charter -> the final entry that succeeds it
	releases []release

	broken []string // what must never be
}

func newFacts(v vault) *facts {
	return &facts{
		members: v.members, liars: v.liars, quorum: v.quorum, weak: v.weak, entries: make([]entry, 1, 16),
		votes: map[subject]set{}, acks: map[subject]set{}, reports: map[place][]report{},
		at: map[place]int{}, final: map[height]subject{}, force: map[int]subject{},
	}
}

func (f *facts) add(e entry) int {
	f.entries = append(f.entries, e)
	return len(f.entries) - 1
}

func (f *facts) breach(format string, args ...any) {
	f.broken = append(f.broken, fmt.Sprintf(format, args...))
}

// enough says whether honest members and all liars together are a quorum.
func (f *facts) enough(honest set) bool { return honest.size()+f.liars >= f.quorum }

func (f *facts) vote(member int, s subject) {
	was := f.votes[s]
	f.votes[s] = was.with(member)
	if f.enough(f.votes[s]) && !f.enough(was) {
		f.certify(s)
	}
}

// certify notes a certificate, and holds it against all that is known.
func (f *facts) certify(s subject) {
	f.certs = append(f.certs, s)
	if other, ok := f.at[s.place]; ok {
		f.breach("two certificates at %v: entries %d and %d", s.place, other, s.entry)
	}
	f.at[s.place] = s.entry
	for h, fin := range f.final {
		f.conflict(h, fin, s)
	}
	if f.weak == onePhase {
		f.finish(s)
	}
}

func (f *facts) ack(member int, s subject) {
	was := f.acks[s]
	f.acks[s] = was.with(member)
	if f.enough(f.acks[s]) && !f.enough(was) {
		f.finish(s)
	}
}

// finish notes that an entry is final, and holds it against all that is known.
func (f *facts) finish(s subject) {
	h := height{s.lane, s.height}
	if was, ok := f.final[h]; ok {
		if was.entry != s.entry {
			f.breach("two final entries at lane %d height %d: %d and %d", s.lane, s.height, was.entry, s.entry)
		}
		return
	}
	f.final[h] = s
	for _, c := range f.certs {
		f.conflict(h, s, c)
	}
	if f.entries[s.entry].next != 0 {
		f.succeed(s)
	}
	f.outlive(s)
	for i := range f.releases {
		f.collide(f.releases[i], s)
	}
}

// conflict notes when a certificate can take a final entry out of its lane: it is for
// another entry at that height and not of a lower attempt, or it stands above and does
// not follow it.
func (f *facts) conflict(h height, fin, c subject) {
	if c.lane != h.lane || c.height < h.height || f.void(c) {
		return
	}
	if f.ancestor(c.entry, h.height) == fin.entry || c.height == h.height && c.charter == fin.charter && c.attempt < fin.attempt {
		return
	}
	f.breach("final entry %d of %v is lost to the certificate of entry %d at %v", fin.entry, fin.place, c.entry, c.place)
}

// ancestor returns the entry at a height that an entry follows.
func (f *facts) ancestor(id int, height int64) int {
	for f.entries[id].height > height {
		id = f.entries[id].prev
	}
	return id
}

// decided says whether a quorum acknowledged an entry at one place.
func (f *facts) decided(id int) bool {
	e := f.entries[id]
	return f.final[height{e.lane, e.height}].entry == id
}

// certified says whether there is a certificate of s.
func (f *facts) certified(s subject) bool { return f.at[s.place] == s.entry && s.entry != 0 }

// highest returns the certificate of the highest attempt below p's for an entry.
func (f *facts) highest(p place, id int) subject {
	for a := p.attempt - 1; a >= 0; a-- {
		if c, ok := f.at[p.at(a)]; ok && c == id {
			return subject{p.at(a), c}
		}
	}
	return subject{}
}
