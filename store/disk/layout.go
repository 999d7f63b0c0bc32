package disk

import (
	"encoding/hex"
	"path/filepath"
	"strconv"
	"strings"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/store"
)

// Names on a volume.
const (
	MarkerName     = "holdfast-volume"
	shardsName     = "shards"
	tmpName        = "tmp"
	quarantineName = "quarantine"
	trashName      = "trash"
	indexName      = "index.db"
)

// layout knows where things are on a volume.
type layout struct{ dir string }

func (l layout) marker() string     { return filepath.Join(l.dir, MarkerName) }
func (l layout) shards() string     { return filepath.Join(l.dir, shardsName) }
func (l layout) tmp() string        { return filepath.Join(l.dir, tmpName) }
func (l layout) quarantine() string { return filepath.Join(l.dir, quarantineName) }
func (l layout) trash() string      { return filepath.Join(l.dir, trashName) }
func (l layout) index() string      { return filepath.Join(l.dir, indexName) }

// made are the folders that every volume has.
func (l layout) made() []string { return []string{l.shards(), l.tmp(), l.quarantine(), l.trash()} }

// folder is where a shard's file is.
func (l layout) folder(k store.Key) string { return below(l.shards(), k) }

// bin is where a shard's file is while it is in the trash.
func (l layout) bin(k store.Key) string { return below(l.trash(), k) }

func below(root string, k store.Key) string {
	vault, segment := k.Vault.Hex(), k.Segment.Hex()
	return filepath.Join(root, vault[:2], vault, segment[:2])
}

// shard is the place of a shard's file.
func (l layout) shard(k store.Key) string { return filepath.Join(l.folder(k), shardName(k)) }

func shardName(k store.Key) string { return k.Segment.Hex() + "." + strconv.Itoa(k.Index) }

// discarded is the place of a shard's file in the trash: its name says why, and since
// when, it is there.
func (l layout) discarded(k store.Key, why store.Reason) string {
	return filepath.Join(l.bin(k), discardedName(k, why))
}

func discardedName(k store.Key, why store.Reason) string {
	return shardName(k) + "." + strconv.FormatInt(why.Time, 10) + "." + why.Release.Hex()
}

// parseDiscarded reads what discardedName produces, and nothing else.
func parseDiscarded(vault ident.CID, name string) (k store.Key, why store.Reason, ok bool) {
	parts := strings.Split(name, ".")
	if len(parts) != 4 {
		return k, why, false
	}
	k, known := parseShardName(vault, parts[0]+"."+parts[1])
	ms, err := strconv.ParseInt(parts[2], 10, 64)
	release, named := parseHex(parts[3])
	why = store.Reason{Release: release, Time: ms}
	return k, why, known && named && err == nil && why.Valid() && discardedName(k, why) == name
}

// parseShardName reads what shardName produces, and nothing else.
func parseShardName(vault ident.CID, name string) (store.Key, bool) {
	digits, number, _ := strings.Cut(name, ".")
	segment, ok := parseHex(digits)
	index, err := strconv.Atoi(number)
	k := store.Key{Vault: vault, Segment: segment, Index: index}
	return k, ok && err == nil && index < erasure.MaxShards && shardName(k) == name
}

// parseHex reads the digest of a dag-cbor CID from the name of a file or folder.
func parseHex(digits string) (ident.CID, bool) {
	p, err := hex.DecodeString(digits)
	if err != nil || len(p) != ident.HashSize || strings.ToLower(digits) != digits {
		return ident.CID{}, false
	}
	return ident.NewCID(ident.DagCBOR, [ident.HashSize]byte(p)), true
}
