package web

import (
	"errors"
	"net/http"

	"holdfast/testnet"
)

// formLimit is how long the words of a button can be.
const formLimit = 4 << 10

// serveDeed is where the buttons lead to: it begins a deed and shows the page again.
func (s *Server) serveDeed(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formLimit)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "not a form", http.StatusBadRequest)
		return
	}
	err := s.deeds.begin(r.PostForm.Get("what"), r.PostForm.Get("target"))
	switch {
	case err == nil:
		http.Redirect(w, r, s.root(), http.StatusSeeOther)
	case errors.Is(err, errBusy):
		http.Error(w, err.Error(), http.StatusConflict)
	case errors.Is(err, errDeed), errors.Is(err, testnet.ErrNoNode):
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
