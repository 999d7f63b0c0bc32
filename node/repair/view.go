package repair

import (
	"iter"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger/custody"
	"holdfast/p2p/placement"
)

// Custody is who holds what of one vault: a *custody.Map.
type Custody interface {
	Holders() []custody.Holder
	All() iter.Seq[custody.Segment]
}

// View is all that a plan depends on, of one vault. It is only read.
type View struct {
	Custody Custody

	// Condition says how a holder is, by its number in Custody.
	Condition func(holder int) Condition

	// Missing lists the shards of a segment whose holders have lost them and have said
	// so, or have been found to lie about them; whatever the holder's condition. Nil: none
	// of any segment.
	Missing func(segment ident.CID) []int

	// Candidates are the nodes that may be given shards, with every operator that the
	// charter admits: one that is out of reach counts without space.
	Candidates []placement.Candidate

	// Grace is how long a silent holder is waited for. A segment that can lose no more
	// than one shard more waits a tenth of it.
	Grace time.Duration

	Me       ident.PublicKey // operator for whom the plan is made; zero: for all of them
	Stewards []Steward       // the vault's members
	Turn     time.Duration   // how long a steward waits for each that comes before it

	// Waited says how long a segment has had no more shards than these, as far as it is
	// remembered. Nil: for ever.
	Waited func(segment ident.CID, live int) time.Duration

	// IllCoded reports whether the rows of a segment are known not to belong together:
	// none is rebuilt. Nil: of no segment.
	IllCoded func(segment ident.CID) bool

	// Busy reports whether a segment is being worked on, or was given up for a while.
	// Nil: none.
	Busy func(segment ident.CID) bool
}

// Condition is how a holder is.
type Condition struct {
	Silent  time.Duration // how long it has not answered; 0 if it answers, Forever if it does not come back
	Excused time.Duration // how much of that it had announced: nobody waits less for it where a segment is in danger
	Leaving bool          // its shards are to be moved elsewhere
}

// Forever is the silence of a holder that does not come back.
const Forever = time.Duration(1<<63 - 1)

// Steward is a member of the vault.
type Steward struct {
	Operator ident.PublicKey
	Alive    bool
}

// Task is what one steward is to do for one segment.
type Task struct {
	Segment custody.Segment
	To      []Place // rows to be rebuilt, or moved, and who gets them; at least one
	From    []Place // rows that are there, those to be asked first before the others; at least k, or the same rows as To in a move
	Sure    int     // so many of From, the first ones, are of holders that answer
	Life    time.Duration
	Move    bool // the rows are copied from their holders; else rebuilt from any k
}

// Place is a row and a node.
type Place struct {
	Row  int
	Node ident.PublicKey
}

// Outlook counts what a plan has seen, whoever is to do it.
type Outlook struct {
	Segments int // of the vault
	Damaged  int // have fewer shards than they should, of holders in grace too
	Waiting  int // of these, lack only shards of holders that are waited for
	NoRoom   int // lack shards, or have some to move, for which no operator has room
	Lost     int // have fewer than k
	Leaving  int // have shards to move
}
