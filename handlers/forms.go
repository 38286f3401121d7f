package handlers

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"infsh/auth"
	"infsh/problem"
	"infsh/redact"
)

// Names of the fields that each form of a signed-in page has.
const (
	csrfField   = "csrf"
	teamField   = "team"
	methodField = "_method"
)

// readForm parses a form from the body alone: what stands in the query is no
// form field, or a link could fill one in.
func readForm(r *http.Request) error {
	if r.Method == http.MethodDelete {
		// A body of DELETE has no meaning (RFC 9110, section 9.3.5), so what
		// goes with it stands in the query; nothing secret does.
		r.PostForm = r.URL.Query()
		return nil
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/x-www-form-urlencoded" {
		return problem.New(problem.UnsupportedMedia, "Send the form as application/x-www-form-urlencoded.")
	}
	if err := r.ParseForm(); err != nil {
		if tooLarge := describe(err); tooLarge.Code == problem.TooLarge {
			return tooLarge
		}
		// The parser's own error may quote what was typed.
		return badRequest("The form could not be read.")
	}
	return nil
}

// maxParts is how many fields a form with a file may have.
const maxParts = 20

// readUpload parses a form that may have a file. It is read into memory, of
// which the limit of the body bounds how much: the library's own parser would
// put a large part into a file.
func readUpload(r *http.Request) error {
	parts, err := r.MultipartReader()
	if err != nil {
		return readForm(r)
	}
	unreadable := badRequest("The form could not be read.")
	r.PostForm = url.Values{}
	for range maxParts {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var content []byte
		if err == nil {
			content, err = io.ReadAll(part)
		}
		if err != nil {
			if tooLarge := describe(err); tooLarge.Code == problem.TooLarge {
				return tooLarge
			}
			return unreadable
		}
		r.PostForm.Add(part.FormName(), string(content))
	}
	return unreadable
}

// checkForm refuses what was not sent from this session's own pages, and what
// was rendered for another team than the session is in now.
func (s *server) checkForm(rt route, r *http.Request, session auth.Session) error {
	read := readForm
	if rt.uploads {
		read = readUpload
	}
	if err := read(r); err != nil {
		return err
	}
	token := r.PostForm.Get(csrfField)
	if (token != "" || !saysWhereFrom(r)) && !session.SameCSRF(token) {
		return problem.New(problem.CrossOrigin, "This form is from another session, or from another site. Nothing was changed. Reload the page and try again.")
	}
	// The team of the form is only compared, never used.
	if formTeam := r.PostForm.Get(teamField); formTeam != "" && formTeam != session.Actor.TeamID() && actsOnTeam(r) {
		return problem.New(problem.Conflict, "This form was made for another team than %s, where you are now. Nothing was changed. Switch back to that team, or reload the page.", session.Actor.TeamName())
	}
	return nil
}

// actsOnTeam reports whether a form changes something of the current team, and
// not the account, the session or the look.
func actsOnTeam(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/settings/") && !strings.HasPrefix(r.URL.Path, "/settings/account/")
}

// checkPublicForm asks the same of a form that needs no session, if there is
// one: a cookie without a word on the origin must come with its token.
func (s *server) checkPublicForm(r *http.Request) error {
	if isSafe(r.Method) || isMachine(r) {
		return nil
	}
	if err := readForm(r); err != nil {
		return err
	}
	if saysWhereFrom(r) {
		return nil
	}
	session, err := s.Authenticator.Session(r)
	if err != nil {
		return nil // No session, so no authority that another site could use.
	}
	if !session.SameCSRF(r.PostForm.Get(csrfField)) {
		return problem.New(problem.CrossOrigin, "This form is from another session, or from another site. Reload the page and try again.")
	}
	return nil
}

// secretField takes a password or code out of a form.
func secretField(r *http.Request, name string) redact.Value {
	return redact.NewValue(r.PostForm.Get(name))
}

func ticked(r *http.Request, name string) bool {
	switch r.PostForm.Get(name) {
	case "true", "on", "1":
		return true
	}
	return false
}

// localPath returns s if it is a path of this server, and fallback if it could
// lead elsewhere: a redirect to //host or /\host leaves the site.
func localPath(s, fallback string) string {
	u, err := url.Parse(s)
	if err != nil || s == "" || u.Scheme != "" || u.Host != "" || u.User != nil ||
		!strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsAny(s, "\\\r\n\t\x00") {
		return fallback
	}
	return s
}

// isPartial reports whether HTMX asks for a fragment. When it restores a page
// from the history it needs the whole one.
func isPartial(r *http.Request) bool {
	return r.Header.Get("HX-Request") == "true" && r.Header.Get("HX-History-Restore-Request") != "true"
}

// wants reports whether HTMX asks for the fragment that goes into an element.
func wants(r *http.Request, target string) bool {
	return isPartial(r) && r.Header.Get("HX-Target") == target
}
