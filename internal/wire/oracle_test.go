package wire

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"holdfast/internal/ident"
)

// oracle is a second opinion on what Validate decides: go-ipld-prime reads p and
// writes the same bytes, and the node that it read keeps to the restrictions that
// docs/format.md adds to DAG-CBOR.
func oracle(p []byte) error {
	nb := basicnode.Prototype.Any.NewBuilder()
	if err := (dagcbor.DecodeOptions{AllowLinks: true}).Decode(nb, bytes.NewReader(p)); err != nil {
		return err
	}
	n := nb.Build()
	if err := restricted(n, 1); err != nil {
		return err
	}
	q, err := encodeNode(n)
	if err != nil {
		return err
	}
	if !bytes.Equal(p, q) {
		return fmt.Errorf("encodes as %x", q)
	}
	return nil
}

func encodeNode(n datamodel.Node) ([]byte, error) {
	var b bytes.Buffer
	err := dagcbor.Encode(n, &b)
	return b.Bytes(), err
}

func restricted(n datamodel.Node, level int) error {
	if level > 32 {
		return errors.New("too deep")
	}
	switch n.Kind() {
	case datamodel.Kind_Null, datamodel.Kind_Float:
		return errors.New("null or float")
	case datamodel.Kind_Int:
		_, err := n.AsInt()
		return err
	case datamodel.Kind_String:
		return restrictedText(n)
	case datamodel.Kind_Link:
		return restrictedLink(n)
	case datamodel.Kind_List, datamodel.Kind_Map:
		return restrictedElements(n, level)
	}
	return nil
}

func restrictedText(n datamodel.Node) error {
	s, err := n.AsString()
	if err == nil && !utf8.ValidString(s) {
		err = errors.New("not UTF-8")
	}
	return err
}

func restrictedLink(n datamodel.Node) error {
	l, err := n.AsLink()
	if err != nil {
		return err
	}
	_, err = ident.CIDFromBytes(l.(cidlink.Link).Cid.Bytes())
	return err
}

func restrictedElements(n datamodel.Node, level int) error {
	if n.Kind() == datamodel.Kind_List {
		for it := n.ListIterator(); !it.Done(); {
			_, v, err := it.Next()
			if err := errors.Join(err, restricted(v, level+1)); err != nil {
				return err
			}
		}
		return nil
	}
	for it := n.MapIterator(); !it.Done(); {
		k, v, err := it.Next()
		if err := errors.Join(err, restrictedText(k), restricted(v, level+1)); err != nil {
			return err
		}
	}
	return nil
}
