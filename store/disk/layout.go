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
	indexName      = "index.db"
)

// layout knows where things are on a volume.
type layout struct{ dir string }

func (l layout) marker() string     { return filepath.Join(l.dir, MarkerName) }
func (l layout) shards() string     { return filepath.Join(l.dir, shardsName) }
func (l layout) tmp() string        { return filepath.Join(l.dir, tmpName) }
func (l layout) quarantine() string { return filepath.Join(l.dir, quarantineName) }
func (l layout) index() string      { return filepath.Join(l.dir, indexName) }

// folder is where a shard's file is.
func (l layout) folder(k store.Key) string {
	vault, segment := k.Vault.Hex(), k.Segment.Hex()
	return filepath.Join(l.dir, shardsName, vault[:2], vault, segment[:2])
}

// shard is the place of a shard's file.
func (l layout) shard(k store.Key) string { return filepath.Join(l.folder(k), shardName(k)) }

func shardName(k store.Key) string { return k.Segment.Hex() + "." + strconv.Itoa(k.Index) }

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
