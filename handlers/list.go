package handlers

import (
	"net/http"

	"infsh/api"
	"infsh/listing"
	"infsh/problem"
)

// listQuery reads the body of a POST …/list. No body asks for the first page.
func listQuery[T any](r *http.Request, l listing.List[T]) (listing.Query, error) {
	var body api.ListBody
	if err := decode(r, &body, mayBeEmpty); err != nil {
		return listing.Query{}, err
	}
	if body.Page != nil && *body.Page > 1 {
		return listing.Query{}, problem.Invalid("page", "pages have no numbers here; go on with the cursor of the page before")
	}
	req := listing.Request{Cursor: body.Cursor, Limit: body.Limit}
	if s := body.Search; s != nil {
		req.Search = &listing.Search{Fields: s.Fields, Term: s.Term, Exact: s.Exact}
	}
	for _, s := range body.Sort {
		req.Sort = append(req.Sort, listing.SortRequest{Field: s.Field, Dir: s.Dir})
	}
	for _, f := range body.Filters {
		req.Filters = append(req.Filters, listing.FilterRequest{Field: f.Field, Operator: f.Operator, Value: f.Value})
	}
	return l.Parse(req)
}

// writeList answers with a page.
func writeList[T, Out any](w http.ResponseWriter, l listing.List[T], page listing.Page[T], q listing.Query, show func(T) Out) error {
	next, prev := l.Cursors(page, q)
	out := api.List[Out]{
		Items: make([]Out, len(page.Items)), NextCursor: next, PrevCursor: prev, HasNext: next != "", HasPrevious: prev != "",
		ItemsPerPage: q.Limit, TotalItems: page.Total,
	}
	for i := range page.Items {
		out.Items[i] = show(page.Items[i])
	}
	return writeJSON(w, http.StatusOK, out)
}
