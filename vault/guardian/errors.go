package guardian

import "errors"

// What can be wrong with key files, shares and charters. None of them holds a
// secret.
var (
	// ErrKeyFile says that a file is not a guardian's key file, or is damaged.
	ErrKeyFile = errors.New("not a guardian's key file")
	// ErrKeyMode says that others can read a key file.
	ErrKeyMode = errors.New("key file can be read by others")
	// ErrPublicFile says that a file is not a guardian's public file, or is damaged.
	ErrPublicFile = errors.New("not a guardian's public file")
	// ErrName says that nobody can be called that.
	ErrName = errors.New("a name has 1 to 64 bytes of printable text")
	// ErrThreshold says that so many guardians cannot have such a threshold.
	ErrThreshold = errors.New("a threshold is at least 2 and at most the number of guardians")
	// ErrTwice says that one guardian is named twice.
	ErrTwice = errors.New("a guardian is named twice")

	// ErrShare says that text is not a share, or is damaged.
	ErrShare = errors.New("not a share, or damaged")
	// ErrWrongKey says that a guardian's key opens no envelope of the charter.
	ErrWrongKey = errors.New("this key belongs to none of the vault's guardians")
	// ErrEnvelope says that an envelope, opened by its guardian's key, does not hold
	// the share that the charter says: whoever made the charter made it wrong.
	ErrEnvelope = errors.New("the envelope does not hold this guardian's share")
	// ErrForeign says that a share belongs to another vault.
	ErrForeign = errors.New("share of another vault")
	// ErrOtherSplit says that a share is of this vault, and of another set of
	// guardians than the charter's.
	ErrOtherSplit = errors.New("share of another set of guardians of this vault")
	// ErrDuplicate says that one share was given twice.
	ErrDuplicate = errors.New("the same share twice")
	// ErrTooFew says that fewer shares were given than the threshold.
	ErrTooFew = errors.New("too few shares")
	// ErrNoSecret says that a charter keeps no secret for its guardians.
	ErrNoSecret = errors.New("the charter has no secret that guardians could recover")
	// ErrSecret says that enough right shares open something that is not this
	// vault's root secret: whoever made the charter made it wrong.
	ErrSecret = errors.New("the charter's secret is not the root of this vault")
)
