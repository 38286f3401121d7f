package api

// Sort directions.
const (
	Ascending  = "asc"
	Descending = "desc"
)

// ListRequest is the body of every POST …/list. Its zero value asks for the
// first page in the default order.
type ListRequest struct {
	Cursor string `json:"cursor,omitempty"`
	// Limit is 1 to 200; nil leaves it to the server.
	Limit   *int     `json:"limit,omitempty"`
	Search  *Search  `json:"search,omitempty"`
	Sort    []Sort   `json:"sort,omitempty"`
	Filters []Filter `json:"filters,omitempty"`
}

// Search keeps the items of which one of Fields holds Term in any case, or with
// Exact equals it. No Fields are those that the list names as its own.
type Search struct {
	Fields []string `json:"fields,omitempty"`
	Term   string   `json:"term"`
	Exact  bool     `json:"exact,omitempty"`
}

// Sort orders a list. Dir is "asc", as it is if empty, or "desc".
type Sort struct {
	Field string `json:"field"`
	Dir   string `json:"dir"`
}

// Filter keeps the items that satisfy it. Operator is "eq", as it is if empty,
// "neq", "in", "not_in", "gt", "gte", "lt", "lte", "contains", "not_contains",
// "is_null", "is_not_null", "is_empty" or "is_not_empty".
type Filter struct {
	Field    string `json:"field"`
	Operator string `json:"operator"`
	Value    any    `json:"value"`
}

// List is one page of a list.
type List[T any] struct {
	Items        []T    `json:"items"`
	NextCursor   string `json:"next_cursor"`
	PrevCursor   string `json:"prev_cursor"`
	HasNext      bool   `json:"has_next"`
	HasPrevious  bool   `json:"has_previous"`
	ItemsPerPage int    `json:"items_per_page"`
	TotalItems   int    `json:"total_items"`
}
