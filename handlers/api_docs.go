package handlers

import (
	"net/http"
	"sync"

	"infsh/openapi"
	"infsh/views"
)

// openAPI answers with the description of the JSON API.
func (s *server) openAPI(w http.ResponseWriter, _ *http.Request) error {
	return writeBody(w, http.StatusOK, openapi.Document)
}

var outline = sync.OnceValues(openapi.ReadOutline)

// apiDocsPage shows it to a person.
func (s *server) apiDocsPage(w http.ResponseWriter, r *http.Request) error {
	described, err := outline()
	if err != nil {
		return err
	}
	s.render(w, r, http.StatusOK, views.APIDocsPage(s.publicChrome(r), described))
	return nil
}
