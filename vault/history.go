package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/vault/index"
)

// Link is an entry that a quorum has certified, as this machine has verified it.
type Link struct {
	CID   ident.CID
	Entry ledger.Entry
	// Time is the median of the members' clocks. It is zero until the entry's own
	// certificate has been verified: see proveTime.
	Time time.Time
}

// history is this machine's verified view of the lanes: links in order, from height
// 1. The files behind it are a cache: what they hold was verified when it came, is
// held together by its hashes, and can be fetched again.
type history struct {
	dir    string
	lanes  map[ident.PublicKey][]Link
	grants map[ident.PublicKey]ledger.Grant
	signed map[ident.PublicKey]ident.Signed // the same, as the owner signed them
	gone   map[ident.PublicKey]bool         // revoked devices
	sealed []byte                           // this device's keys, of its newest enrolment that was read; nil once taken

	introduced introductions
	holders    *holders   // of all that the bodies name, and of later placements
	newest     ledger.Set // the reference set that was resolved last
	unwritten  int        // entries that are not in the summary on disk, or not all of it
}

const (
	linkLimit = 1 << 20
	bodyName  = "bodies"
	laneName  = "lanes"
)

func newHistory(dir string) *history {
	return &history{
		dir: dir, lanes: map[ident.PublicKey][]Link{}, signed: map[ident.PublicKey]ident.Signed{},
		grants: map[ident.PublicKey]ledger.Grant{}, gone: map[ident.PublicKey]bool{},
		introduced: newIntroductions(), holders: newHolders(),
	}
}

func (h *history) enrol(g ledger.Grant, signed ident.Signed) {
	h.grants[g.Device], h.signed[g.Device] = g, signed
}

// introduce notes what an entry introduced. All that stands before it in its lane is
// noted already.
func (h *history) introduce(entry ident.CID, segs []index.Segment) {
	if _, known := h.introduced.entries[entry]; known {
		return
	}
	if h.introduced.put(entry, segs) == nil { // else its body is read again
		h.unwritten++
	}
}

func (h *history) height(lane ident.PublicKey) int64 { return int64(len(h.lanes[lane])) }

func (h *history) heights() map[ident.PublicKey]int64 {
	out := map[ident.PublicKey]int64{}
	for lane, links := range h.lanes {
		out[lane] = int64(len(links))
	}
	return out
}

// head returns the newest link of a lane.
func (h *history) head(lane ident.PublicKey) (Link, bool) {
	links := h.lanes[lane]
	if len(links) == 0 {
		return Link{}, false
	}
	return links[len(links)-1], true
}

// heads returns the newest link of each lane.
func (h *history) heads() map[ident.PublicKey]Link {
	out := map[ident.PublicKey]Link{}
	for lane := range h.lanes {
		if l, ok := h.head(lane); ok {
			out[lane] = l
		}
	}
	return out
}

func (h *history) above(lane ident.PublicKey, height int64) []Link {
	links := h.lanes[lane]
	return links[min(int64(len(links)), height):]
}

// next checks that an entry follows the head of its lane.
func (h *history) next(e ledger.Entry) error {
	head, _ := h.head(e.Lane)
	if e.Height != h.height(e.Lane)+1 || e.Prev != head.CID {
		return fmt.Errorf("%w: entry at height %d does not follow %d", ErrFork, e.Height, h.height(e.Lane))
	}
	return nil
}

// add takes in a verified link that follows the head of its lane.
func (h *history) add(l Link) {
	h.lanes[l.Entry.Lane] = append(h.lanes[l.Entry.Lane], l)
	h.unwritten++
}

// cut takes the entries of a lane above a height out, of the cache too, and returns
// them.
func (h *history) cut(lane ident.PublicKey, keep int64) []Link {
	void := h.lanes[lane][keep:]
	for _, l := range void {
		delete(h.introduced.entries, l.CID)
		os.Remove(h.linkPath(lane, l.Entry.Height))
	}
	h.lanes[lane] = h.lanes[lane][:keep:keep]
	h.unwritten += summaryEvery
	return void
}

// unenrol forgets what the owner's lane has said: it is read again.
func (h *history) unenrol() {
	h.grants, h.signed, h.gone = map[ident.PublicKey]ledger.Grant{}, map[ident.PublicKey]ident.Signed{}, map[ident.PublicKey]bool{}
}

func (h *history) laneDir(lane ident.PublicKey) string {
	return filepath.Join(h.dir, laneName, lane.String())
}

func (h *history) linkPath(lane ident.PublicKey, height int64) string {
	return filepath.Join(h.laneDir(lane), strconv.FormatInt(height, 10))
}

// keep writes a link to the cache. A failure costs a download later, no more.
func (h *history) keep(e ledger.Entry, encoded []byte) {
	if os.MkdirAll(h.laneDir(e.Lane), 0o700) == nil {
		writeCache(h.linkPath(e.Lane, e.Height), encoded)
	}
}

// cached returns the encoded link at a height, nil if it is not in the cache.
func (h *history) cached(lane ident.PublicKey, height int64) []byte {
	p, err := readLimited(h.linkPath(lane, height), linkLimit)
	if err != nil {
		return nil
	}
	return p
}

// cachedLanes lists the lanes of which the cache has something.
func (h *history) cachedLanes() []ident.PublicKey {
	entries, err := os.ReadDir(filepath.Join(h.dir, laneName))
	if err != nil {
		return nil
	}
	var out []ident.PublicKey
	for _, e := range entries {
		if k, err := ident.ParsePublicKey(e.Name()); err == nil {
			out = append(out, k)
		}
	}
	return out
}

func (h *history) bodyPath(l Link) string {
	return filepath.Join(h.dir, bodyName, l.Entry.Body.Hex())
}

// body returns an entry's body from the cache, if it is there and is the one.
func (h *history) body(l Link) ([]byte, bool) {
	p, err := readLimited(h.bodyPath(l), ledger.MaxBody)
	if err != nil || ident.SumDagCBOR(p) != l.Entry.Body {
		return nil, false
	}
	return p, true
}

func (h *history) keepBody(l Link, p []byte) {
	path := h.bodyPath(l)
	if os.MkdirAll(filepath.Dir(path), 0o700) == nil {
		writeCache(path, p)
	}
}

// writeCache replaces a file of the cache at once, or leaves it as it was.
func writeCache(path string, p []byte) {
	tmp := path + ".tmp" + strconv.Itoa(os.Getpid())
	if os.WriteFile(tmp, p, 0o600) != nil || os.Rename(tmp, path) != nil {
		os.Remove(tmp)
	}
}

// remembered is what this machine has once seen as the heads. It is no cache: it
// is what a rollback is noticed by.
type remembered struct {
	V     int64            `cbor:"v"`
	Lanes []rememberedLane `cbor:"lanes"`
}

type rememberedLane struct {
	Lane   ident.PublicKey `cbor:"lane"`
	Height int64           `cbor:"height"`
	Entry  ident.CID       `cbor:"entry"`
}

func readRemembered(path string) (remembered, error) {
	r := remembered{V: 1}
	p, err := readLimited(path, linkLimit)
	if errors.Is(err, os.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("read remembered heads: %w", err)
	}
	if err := wire.Decode(p, &r); err != nil {
		return r, fmt.Errorf("read remembered heads: %w: %w", ErrProfile, err)
	}
	return r, nil
}
