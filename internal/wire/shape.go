package wire

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// shape is what a Go type says about maps: where they are, and which keys it knows.
type shape struct {
	form   form
	elem   *shape  // of a list or a dictionary
	fields []field // of a record, in DAG-CBOR order
}

type form int

const (
	opaque     form = iota // holds no record, or reads itself
	list                   // a slice or array of shapes
	dictionary             // a Go map: every key is known
	record                 // a struct
)

type field struct {
	name     []byte
	optional bool
	shape    *shape
}

// shapes remembers what has been found out about types; types may be recursive.
type shapes map[reflect.Type]*shape

func (m shapes) of(t reflect.Type) *shape {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if x, ok := m[t]; ok {
		return x
	}
	x := new(shape)
	m[t] = x
	switch {
	case readsItself(t):
	case t.Kind() == reflect.Struct:
		x.form = record
		x.fields = m.fields(t)
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Array:
		m.container(x, list, t.Elem())
	case t.Kind() == reflect.Map:
		m.container(x, dictionary, t.Elem())
	}
	return x
}

func (m shapes) container(x *shape, f form, elem reflect.Type) {
	if e := m.of(elem); e.form != opaque {
		x.form, x.elem = f, e
	}
}

// fields lists what fxamacker/cbor knows of a struct. If the two should ever
// disagree, the comparison in Decode fails.
func (m shapes) fields(t reflect.Type) []field {
	var fs []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("cbor")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			fs = append(fs, m.fields(f.Type)...)
		case f.IsExported() && tag != "-":
			name = cmp.Or(name, f.Name)
			fs = append(fs, field{[]byte(name), optional(t, f, options), m.of(f.Type)})
		}
	}
	slices.SortFunc(fs, func(a, b field) int { return compareKeys(a.name, b.name) })
	return fs
}

// optional reports whether a field is left out when it is empty. It panics where
// the tag says so and the encoder does not do it.
func optional(t reflect.Type, f reflect.StructField, options string) bool {
	switch {
	case options == "":
		return false
	case options == "omitzero" && !standsAsArray(f.Type), options == "omitempty" && hasEmpty(f.Type):
		return true
	}
	panic("wire: " + t.String() + "." + f.Name + " is never left out by " + options)
}

// hasEmpty reports whether omitempty has a meaning for t.
func hasEmpty(t reflect.Type) bool {
	if t == reflect.TypeFor[cbor.RawMessage]() {
		return true
	}
	return t.Kind() != reflect.Array && t.Kind() != reflect.Struct && !readsItself(t)
}

// readsItself reports whether t has its own form, which is not looked into.
func readsItself(t reflect.Type) bool {
	return standsAsArray(t) || reflect.PointerTo(t).Implements(reflect.TypeFor[cbor.Unmarshaler]())
}

// standsAsArray reports whether t is a struct without keys.
func standsAsArray(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	blank, ok := t.FieldByName("_")
	return ok && strings.Contains(blank.Tag.Get("cbor"), "toarray")
}
