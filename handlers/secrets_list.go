package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"infsh/auth"
	"infsh/envvar"
	"infsh/listing"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
	"infsh/views"
)

// currentList is the state of the list that the person sees. It stands in the
// address of the page: that of this request, or for a dialog and a form over
// HTMX the one that they come from. A plain form carries it.
func currentList(r *http.Request) views.ListState {
	switch {
	case isPartial(r) && !wants(r, "secrets-table"):
		if !fromList(r) {
			return views.ListState{}
		}
		return listState(currentURL(r).Query())
	case isSafe(r.Method):
		return listState(r.URL.Query())
	}
	return listState(r.PostForm)
}

// fromList reports whether HTMX asks from the page that has the list.
func fromList(r *http.Request) bool { return currentURL(r).Path == settingsHome }

// currentURL is the address of the page from which HTMX asks.
func currentURL(r *http.Request) *url.URL {
	u, err := url.Parse(r.Header.Get("HX-Current-URL"))
	if err != nil {
		return new(url.URL)
	}
	return u
}

// longestSearch is in characters.
const longestSearch = 200

// searchTerm is what was typed into a field of a search, without what no database
// can be asked for.
func searchTerm(typed string) string {
	term := []rune(strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(typed, "\x00", ""), "")))
	return string(term[:min(len(term), longestSearch)])
}

func listState(q url.Values) views.ListState {
	l := views.ListState{Query: searchTerm(q.Get("q")), From: q.Get("from"), Due: q.Get("show") == "due"}
	if i := slices.IndexFunc(views.SecretSorts, func(s views.SecretSort) bool { return s.Name == q.Get("sort") }); i > 0 {
		l.Sort = q.Get("sort")
	}
	return l
}

// listRequest asks the domain for what the person sees.
func listRequest(l views.ListState, now time.Time) listing.Request {
	req := listing.Request{Cursor: l.From, Search: &listing.Search{Term: l.Query}}
	if l.Due {
		req.Filters = secret.NeedsAttention(now)
	}
	if l.Sort != "" {
		field, desc := strings.CutPrefix(l.Sort, "-")
		req.Sort = []listing.SortRequest{{Field: field, Dir: "asc"}}
		if desc {
			req.Sort[0].Dir = "desc"
		}
	}
	return req
}

// secrets reads a page of the list.
func (s *server) secrets(w http.ResponseWriter, r *http.Request, session auth.Session, list views.ListState) (views.Page, views.Secrets, error) {
	model := views.Secrets{List: list, CanEdit: session.Actor.Can(team.SetSecret), CanReveal: session.Actor.Can(team.RevealSecret), Known: known()}
	p, err := s.chrome(w, r, session)
	if err != nil {
		return p, model, err
	}
	found, query, err := s.listed(r, session, &model.List)
	if err != nil {
		return p, model, err
	}
	keys := make([]envvar.Key, len(found.Items))
	for i := range found.Items {
		keys[i] = found.Items[i].Key
	}
	twins, err := s.Secrets.CaseTwins(r.Context(), session.Actor, keys)
	if err != nil {
		return p, model, err
	}
	uses, err := s.Secrets.CountUses(r.Context(), session.Actor, keys)
	if err != nil {
		return p, model, err
	}
	for _, one := range found.Items {
		row := s.secretRow(one, twins[one.Key])
		row.UsedBy = uses[one.Key]
		model.Rows = append(model.Rows, row)
	}
	model.Total, model.Before, model.Any = found.Total, found.Before, found.Total > 0
	model.Next, model.Previous = secret.Listing.Cursors(found, query)
	if !model.Any && (list.Query != "" || list.Due) {
		all, err := s.Secrets.Keys(r.Context(), session.Actor)
		if err != nil {
			return p, model, err
		}
		model.Any = len(all) > 0
	}
	if model.Due, err = s.Secrets.CountDue(r.Context(), session.Actor, s.now()); err != nil {
		return p, model, err
	}
	expected, err := s.Secrets.Expected(r.Context(), session.Actor)
	for _, k := range expected {
		model.Expected = append(model.Expected, views.ExpectedKey{Key: string(k.Key), Description: k.Description})
	}
	return p, model, err
}

// listed reads the page at the list's cursor. One that leads nowhere, since it
// is of another order or made up, or since what stood there is gone, is the
// first page.
func (s *server) listed(r *http.Request, session auth.Session, list *views.ListState) (listing.Page[secret.Secret], listing.Query, error) {
	query, err := secret.Listing.Parse(listRequest(*list, s.now()))
	if problem.CodeOf(err) == problem.InvalidField && list.From != "" {
		list.From = ""
		query, err = secret.Listing.Parse(listRequest(*list, s.now()))
	}
	if err != nil {
		return listing.Page[secret.Secret]{}, query, err
	}
	page, err := s.Secrets.Page(r.Context(), session.Actor, query)
	if err == nil && len(page.Items) == 0 && list.From != "" {
		list.From = ""
		return s.listed(r, session, list)
	}
	return page, query, err
}
