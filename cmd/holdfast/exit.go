package main

import (
	"errors"
	"fmt"

	"holdfast/vault"
)

// exit is a way in which the program ends. The table is part of the contract with
// scripts: docs/exit-codes.md holds the same one, and a test compares them.
type exit struct {
	code  int
	name  string
	class string // permanent: the same command fails again; temporary: it may not
	text  string
}

var (
	exitDone        = exit{0, "OK", "", "done; for a backup: all n shards are durable and the certificate is on all members"}
	exitFailed      = exit{1, "E_FAILED", "permanent", "failed, nothing saved"}
	exitUnread      = exit{3, "E_SOURCE_UNREAD", "temporary", "done, but some source files could not be read"}
	exitBelow       = exit{4, "E_BELOW_TARGET", "temporary", "saved, but below the target number of shards or members"}
	exitCannotStop  = exit{7, "E_CANNOT_STOP", "temporary", "can-stop: no"}
	exitNoVault     = exit{10, "E_NO_VAULT", "permanent", "no such vault"}
	exitBusy        = exit{11, "E_BUSY", "temporary", "another holdfast is writing to this vault on this machine"}
	exitWrongPhrase = exit{12, "E_WRONG_PHRASE", "permanent", "wrong phrase, passphrase or share"}
	exitNoRight     = exit{13, "E_NO_RIGHT", "permanent", "this device has no right to do that"}
	exitForbidden   = exit{14, "E_RETENTION", "permanent", "retention, cooling-off or missing consent forbids it"}
	exitFull        = exit{15, "E_FULL", "temporary", "quota or disk full"}
	exitNetwork     = exit{20, "E_NETWORK", "temporary", "network out of reach, or too few nodes"}
	exitOutOfReach  = exit{21, "E_DATA_OUT_OF_REACH", "temporary", "data out of reach now; try again"}
	exitLost        = exit{22, "E_DATA_LOST", "permanent", "data proven lost; the list is written"}
	exitIntegrity   = exit{23, "E_INTEGRITY", "permanent", "integrity: bytes were rejected"}
	exitClock       = exit{24, "E_CLOCK", "permanent", "clock unusable"}
	exitUsage       = exit{64, "E_USAGE", "permanent", "usage"}
	exitConfig      = exit{65, "E_CONFIG", "permanent", "configuration"}
	exitInterrupted = exit{130, "E_INTERRUPTED", "temporary", "interrupted"}
)

// exits lists all of them, in the order of their codes.
func exits() []exit {
	return []exit{
		exitDone, exitFailed, exitUnread, exitBelow, exitCannotStop, exitNoVault, exitBusy, exitWrongPhrase,
		exitNoRight, exitForbidden, exitFull, exitNetwork, exitOutOfReach, exitLost, exitIntegrity, exitClock,
		exitUsage, exitConfig, exitInterrupted,
	}
}

// explained is an error as a person is told of it.
type explained struct {
	exit    exit
	message string
	hint    string
}

// hinted carries the exit and the hint that the verb itself chose.
type hinted struct {
	err  error
	exit exit
	hint string
}

func (h hinted) Error() string { return h.err.Error() }
func (h hinted) Unwrap() error { return h.err }

// withHint lets a verb say what to do about an error that only it understands.
func withHint(err error, e exit, hint string) error { return hinted{err, e, hint} }

// usage marks an error as a mistake in the command line.
func usage(err error) error {
	return hinted{err, exitUsage, "run the command with --help to see an example"}
}

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// interrupted is what is left of a command after Ctrl-C.
type interrupted struct{ err error }

func (interrupted) Error() string   { return "interrupted" }
func (i interrupted) Unwrap() error { return i.err }

// hintNothing is what is said about errors that nothing else is known about.
const hintNothing = "nothing was saved; run the command again when the cause is gone"

func explain(err error) explained { return withKept(err, explainCause(err)) }

func explainCause(err error) explained {
	var in interrupted
	if errors.As(err, &in) {
		var backup *vault.Interrupted
		if errors.As(err, &backup) {
			return interruptedBackup(backup)
		}
		var h hinted
		if errors.As(in.err, &h) {
			return explained{exitInterrupted, "interrupted", h.hint}
		}
		return explained{exitInterrupted, "interrupted", "nothing half-done is left behind that counts; run the same command again"}
	}
	var h hinted
	if errors.As(err, &h) {
		return explained{h.exit, err.Error(), h.hint}
	}
	for _, c := range causes() {
		if errors.Is(err, c.err) {
			return explained{c.exit, err.Error(), c.hint}
		}
	}
	if message, similar, ok := unknownCommand(err); ok {
		return explained{exitUsage, message, similar + "run holdfast --help for the list of commands"}
	}
	return explained{exitFailed, err.Error(), hintNothing}
}
