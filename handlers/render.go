package handlers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf16"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"infsh/auth"
	"infsh/problem"
	"infsh/views"
)

// render writes a component that has been rendered whole, so that an error
// never leaves half a page.
func (s *server) render(w http.ResponseWriter, r *http.Request, status int, c templ.Component) {
	var page bytes.Buffer
	if err := c.Render(r.Context(), &page); err != nil {
		s.log.ErrorContext(r.Context(), "render", "request_id", requestID(r), "route", r.Pattern, "error", err)
		http.Error(w, "Something went wrong on the server.", http.StatusInternalServerError)
		return
	}
	writePage(w, r, status, page.Bytes())
}

// chrome collects what every signed-in page shows around its content. It comes
// before the content, so that the page waits for all that changes after that.
func (s *server) chrome(w http.ResponseWriter, r *http.Request, session auth.Session) (views.Page, error) {
	number, err := s.Feed.Number(r.Context(), session.Actor.TeamID())
	if err != nil {
		return views.Page{}, err
	}
	teams, err := s.Accounts.Teams(r.Context(), session.Actor)
	if err != nil {
		return views.Page{}, err
	}
	p := views.Page{
		CSRF: session.CSRF, Theme: s.themeOf(r), Path: r.URL.Path, Email: session.Actor.Email(), Flash: s.takeFlash(w, r, session),
	}
	if r.Method == http.MethodGet {
		// What answers a form may be shown this once, and stays as it is.
		p.Stream = streamOf(session.Actor.TeamID(), "since", number)
	}
	for _, t := range teams {
		shown := views.Team{
			ID: t.ID, Username: t.Username, Name: t.Name, Role: string(t.Role),
			Environment: t.Environment.Name, GroupID: t.Environment.GroupID, GroupName: t.Environment.GroupName,
		}
		p.Teams = append(p.Teams, shown)
		if t.ID == session.Actor.TeamID() {
			p.Team = shown
		}
	}
	if p.Team.ID == "" {
		// The membership ended between two queries; the next request says so.
		return views.Page{}, problem.New(problem.NotSignedIn, "Sign in again.")
	}
	return p, nil
}

// themeCookie is named as the session's is: behind https, no other host of the
// domain can set it.
func (s *server) themeCookie() string {
	if s.secure() {
		return "__Host-infsh-theme"
	}
	return "theme"
}

func (s *server) themeOf(r *http.Request) views.Theme {
	c, err := r.Cookie(s.themeCookie())
	if err != nil {
		return views.ParseTheme("")
	}
	return views.ParseTheme(c.Value)
}

// redirect leads on after a form: with 303, so that a reload does not send the
// form again, or over HTMX as a whole page.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	if isPartial(r) {
		w.Header().Set("HX-Redirect", to)
		w.WriteHeader(http.StatusOK)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// toLogin leads to the login page and back to where the person was. An HTMX
// request comes from a page, so that page is where they were.
func (s *server) toLogin(w http.ResponseWriter, r *http.Request) {
	hurry(w, r)
	next := ""
	switch {
	case isPartial(r):
		if u, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil {
			next = u.EscapedPath()
		}
	case r.Method == http.MethodGet:
		next = r.URL.RequestURI()
	}
	to := "/login"
	if next = localPath(next, ""); next != "" && next != "/" {
		to += "?next=" + url.QueryEscape(next)
	}
	redirect(w, r, to)
}

// flash is what a redirect's target tells the person: a kind from a fixed list
// and a short subject, never a value.
type flash struct {
	kind    flashKind
	subject string
	// notes are sentences that belong to it, such as advice on a name.
	notes string
	// undo is the deletion that it offers to undo, and undone the one that was.
	undo, undone string
}

type flashKind string

const (
	flashAdded       flashKind = "added"
	flashChanged     flashKind = "changed"
	flashDeleted     flashKind = "deleted"
	flashDeletedAll  flashKind = "deleted_all"
	flashHidden      flashKind = "hidden"
	flashImported    flashKind = "imported"
	flashEdited      flashKind = "edited"
	flashRestored    flashKind = "restored"
	flashRestoredAll flashKind = "restored_all"
	flashRolled      flashKind = "rolled_back"
	flashRevoked     flashKind = "revoked"
	flashService     flashKind = "service"
	flashRole        flashKind = "role"
	flashRemoved     flashKind = "removed"
	flashPolicy      flashKind = "policy"
	flashPassword    flashKind = "password"
	flashSwitched    flashKind = "switched"
	flashTeam        flashKind = "team"
	flashJoined      flashKind = "joined"
	flashNames       flashKind = "renamed"
	flashGone        flashKind = "team_deleted"
	flashDoubled     flashKind = "duplicated"
	flashDismiss     flashKind = "dismissed"
	flashInvite      flashKind = "invite_revoked"
	flashOwner       flashKind = "owner"

	flashGranted   flashKind = "granted"
	flashBound     flashKind = "bound"
	flashUngranted flashKind = "ungranted"
	flashDenied    flashKind = "denied"
	flashMoved     flashKind = "version_current"
	flashAppGone   flashKind = "app_deleted"

	flashStaged    flashKind = "staged"
	flashUnchanged flashKind = "unchanged"
	flashActivated flashKind = "activated"
	flashReminded  flashKind = "reminded"
	flashTwins     flashKind = "twins"
	flashNoTwins   flashKind = "no_twins"
	flashTested    flashKind = "webhook_tested"
	flashUnhooked  flashKind = "webhook_deleted"

	flashTrusted    flashKind = "trust_made"
	flashDistrusted flashKind = "trust_deleted"

	flashLinked   flashKind = "integration_connected"
	flashUnlinked flashKind = "integration_disconnected"
	flashKept     flashKind = "integration_not_revoked"
	flashPrimary  flashKind = "integration_primary"
	flashClient   flashKind = "integration_client"

	flashSignIn    flashKind = "signed_out_there"
	flashApp       flashKind = "app_added"
	flashNoApp     flashKind = "app_removed"
	flashPasskey   flashKind = "passkey_added"
	flashNoPasskey flashKind = "passkey_removed"

	flashConnected    flashKind = "sso_connected"
	flashDisconnected flashKind = "sso_disconnected"
	flashProved       flashKind = "sso_proved"
)

var flashWords = map[flashKind]string{
	flashAdded:       "%s was added.",
	flashChanged:     "%s was saved.",
	flashDeleted:     "%s was deleted, with all its versions.",
	flashDeletedAll:  "%s were deleted, with all their versions.",
	flashHidden:      "The value of %s is hidden again.",
	flashImported:    "Imported: %s.",
	flashEdited:      "Saved: %s.",
	flashRestored:    "%s is back, with all its versions.",
	flashRestoredAll: "%s are back, with all their versions.",
	flashRolled:      "%s was rolled back.",
	flashRevoked:     "The API key %s was revoked.",
	flashService:     "The API key %s belongs to the team now.",
	flashRole:        "The role of %s was changed.",
	flashRemoved:     "%s was removed from the team.",
	flashPolicy:      "The team's settings were saved.",
	flashPassword:    "Your password was changed. All other sessions and command line logins have ended.",
	flashSwitched:    "You are in team %s now.",
	flashTeam:        "Team %s was made, and you own it.",
	flashJoined:      "You joined team %s.",
	flashNames:       "The team's names were saved.",
	flashGone:        "Team %s was deleted, with its key and all its secrets.",
	flashDoubled:     "Team %s was made, and you own it. Its keys wait for values of their own.",
	flashGranted:     "%s was granted. The app's next run receives it.",
	flashBound:       "%s was granted, and bound.",
	flashUngranted:   "%s was revoked. The app's next run does not receive it.",
	flashDenied:      "%s was denied.",
	flashMoved:       "%s is current now. The app's next run uses it.",
	flashAppGone:     "%s was deleted, with its versions and grants.",
	flashDismiss:     "%s is not waited for any more.",
	flashInvite:      "The invite was revoked.",
	flashOwner:       "%s owns the team now, and you are an admin.",

	flashStaged:    "%s is stored and not in use yet. Activate it in the history of the secret.",
	flashUnchanged: "The value is unchanged: %s holds it already, so no new version was made.",
	flashActivated: "%s is in use now.",
	flashReminded:  "The reminders of %s were saved.",
	flashTwins:     "The same value is held by %s.",
	flashNoTwins:   "None of your other teams in which you may reveal holds the value of %s.",
	flashTested:    "A test is on its way. Reload the page to see whether it arrived.",
	flashUnhooked:  "The webhook was deleted.",

	flashTrusted:    "%s is trusted now. Its card says what the pipeline needs.",
	flashDistrusted: "The trust was deleted, and its credentials have ended.",

	flashLinked:   "%s is connected.",
	flashUnlinked: "%s was disconnected, and its tokens were revoked.",
	flashKept:     "%s was disconnected. Its tokens were removed here; revoke the access at the provider too.",
	flashPrimary:  "Apps receive %s now.",
	flashClient:   "The client was saved. Connect an account now.",

	flashSignIn:    "You are signed out there.",
	flashApp:       "The authenticator app is on.",
	flashNoApp:     "The authenticator app was removed.",
	flashPasskey:   "The passkey %s was added.",
	flashNoPasskey: "The passkey was removed.",

	flashConnected:    "%s signs you in now.",
	flashDisconnected: "%s does not sign you in any more.",
	flashProved:       "Confirmed. Go on with what you were about to do.",
}

func (f flash) message() string {
	return strings.TrimSpace(strings.Replace(flashWords[f.kind], "%s", f.subject, 1) + " " + f.notes)
}

func (s *server) flashCookie() string {
	if s.secure() {
		return "__Host-infsh-flash"
	}
	return "infsh_flash"
}

// maxFlash bounds what is read of the cookie, in bytes.
const maxFlash = 2000

// leaveFlash keeps a message for the next page.
func (s *server) leaveFlash(w http.ResponseWriter, f flash) {
	http.SetCookie(w, &http.Cookie{
		Name: s.flashCookie(), Value: url.QueryEscape(strings.Join([]string{string(f.kind), f.subject, f.undo, f.notes}, "\n")), Path: "/", MaxAge: 60,
		HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode,
	})
}

func (s *server) takeFlash(w http.ResponseWriter, r *http.Request, session auth.Session) *views.Flash {
	c, err := r.Cookie(s.flashCookie())
	if err != nil || isPartial(r) {
		return nil
	}
	http.SetCookie(w, &http.Cookie{Name: s.flashCookie(), Path: "/", MaxAge: -1, HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode})
	text, err := url.QueryUnescape(c.Value)
	if err != nil {
		return nil
	}
	parts := strings.SplitN(text, "\n", 4)
	if len(parts) != 4 || len(text) > maxFlash || flashWords[flashKind(parts[0])] == "" {
		return nil
	}
	f := flash{kind: flashKind(parts[0]), subject: parts[1], undo: parts[2], notes: parts[3]}
	shown := &views.Flash{Kind: views.FlashSuccess, Message: f.message()}
	if uuid.Validate(f.undo) == nil {
		shown.Undo = &views.Undo{ID: f.undo, CSRF: session.CSRF, Team: session.Actor.TeamID(), Message: f.message()}
	}
	return shown
}

// toast tells the same over HTMX, by an event that app.js turns into a toast
// and a live region's text.
func toast(w http.ResponseWriter, f flash) {
	event := map[string]any{"infsh:toast": map[string]string{"message": f.message(), "kind": string(views.FlashSuccess)}}
	b, err := json.Marshal(event)
	if err != nil {
		return
	}
	// A header is ASCII.
	w.Header().Set("HX-Trigger", asciiJSON(b))
}

func asciiJSON(b []byte) string {
	var out strings.Builder
	for _, r := range string(b) {
		switch {
		case r < 0x80:
			out.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		}
	}
	return out.String()
}
