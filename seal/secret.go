package seal

import (
	"fmt"
	"io"
	"log/slog"
)

// The methods of this file keep secrets out of logs and errors, whatever the verb
// and whatever the logger's handler. They hide a value that is printed itself or
// in an exported field; fmt prints unexported fields past every method.

func hide(s fmt.State, what string) { io.WriteString(s, "<"+what+">") }

// Format hides the secret.
func (e Entropy) Format(s fmt.State, _ rune) { hide(s, "entropy") }

// LogValue hides the secret.
func (e Entropy) LogValue() slog.Value { return slog.StringValue("<entropy>") }

// Format hides the secrets.
func (k Keys) Format(s fmt.State, _ rune) { hide(s, "keys") }

// LogValue hides the secrets.
func (k Keys) LogValue() slog.Value { return slog.StringValue("<keys>") }

// Format hides the secret.
func (i Identity) Format(s fmt.State, _ rune) { hide(s, "identity") }

// LogValue hides the secret.
func (i Identity) LogValue() slog.Value { return slog.StringValue("<identity>") }

// Format hides the secret.
func (k FileKey) Format(s fmt.State, _ rune) { hide(s, "file key") }

// LogValue hides the secret.
func (k FileKey) LogValue() slog.Value { return slog.StringValue("<file key>") }
