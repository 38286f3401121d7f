package db

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"infsh/listing"
)

// column is where a field of a listing.Query is in the database.
type column struct {
	sql  string
	text bool
}

// paged says how a list is read by pages. Both selects end in a WHERE that
// begins with the team; counted has no columns, and joins no more than the
// columns of fields need. Only these, the columns and placeholders get into SQL.
type paged struct {
	selected, counted string
	columns           map[string]column
}

// readPage reads the page that lq asks for. It is the one that
// listing.List.Cut makes of all rows.
func readPage[Row any](ctx context.Context, q querier, p paged, team string, lq listing.Query) (page listing.Page[Row], err error) {
	b := pageBuilder{dialect: q.dialect, columns: p.columns}
	b.keep(lq)
	kept, keptArgs := b.take()
	backward := lq.From != nil && lq.From.Backward
	side := sqlPart{sql: "TRUE"}
	if lq.From != nil {
		b.from(lq.Order, *lq.From)
		side.sql, side.args = b.take()
	}
	b.order(lq.Order, backward)
	order, _ := b.take()
	if b.err != nil {
		return page, b.err
	}
	// On which side of the position the page is: rows of that side, and all.
	var counts struct {
		Total int `db:"total"`
		Side  int `db:"side"`
	}
	err = q.get(ctx, &counts, "SELECT count(*) AS total, COALESCE(SUM(CASE WHEN "+side.sql+" THEN 1 ELSE 0 END), 0) AS side "+p.counted+kept,
		slices.Concat(side.args, []any{team}, keptArgs)...)
	if err != nil {
		return page, err
	}
	err = q.list(ctx, &page.Items, p.selected+kept+" AND "+side.sql+order+fmt.Sprintf(" LIMIT %d", lq.Limit),
		slices.Concat([]any{team}, keptArgs, side.args)...)
	if err != nil {
		return page, err
	}
	page.Total, page.Before = counts.Total, counts.Total-counts.Side
	if backward {
		slices.Reverse(page.Items)
		page.Before = counts.Side - len(page.Items)
	}
	return page, nil
}

type sqlPart struct {
	sql  string
	args []any
}

// pageBuilder writes parts of a statement with ? placeholders.
type pageBuilder struct {
	dialect dialect
	columns map[string]column
	sql     strings.Builder
	args    []any
	err     error
}

// take returns what was written, and starts anew.
func (b *pageBuilder) take() (string, []any) {
	sql, args := b.sql.String(), b.args
	b.sql.Reset()
	b.args = nil
	return sql, args
}

func (b *pageBuilder) add(sql string, args ...any) {
	b.sql.WriteString(sql)
	b.args = append(b.args, args...)
}

// column is a field's expression, compared byte by byte if it is text: SQLite
// does that by itself.
func (b *pageBuilder) column(field string) string {
	c, ok := b.columns[field]
	if !ok {
		b.err = fmt.Errorf("a list has no column for the field %q", field)
		return "NULL"
	}
	if c.text && b.dialect == postgresDialect {
		return c.sql + ` COLLATE "C"`
	}
	return c.sql
}

// keep writes the conditions of search and filters.
func (b *pageBuilder) keep(q listing.Query) {
	if q.Search.Term != "" {
		b.add(" AND (FALSE")
		for _, field := range q.Search.Fields {
			b.add(" OR ")
			if q.Search.Exact {
				b.add(b.column(field)+" = ?", q.Search.Term)
			} else {
				b.contains(field, q.Search.Term)
			}
		}
		b.add(")")
	}
	for _, f := range q.Filters {
		b.add(" AND ")
		b.filter(f)
	}
}

var comparisons = map[listing.Operator]string{
	listing.Equal: "=", listing.NotEqual: "<>", listing.Greater: ">", listing.GreaterEqual: ">=", listing.Less: "<", listing.LessEqual: "<=",
}

func (b *pageBuilder) filter(f listing.Filter) {
	switch f.Operator {
	case listing.In, listing.NotIn:
		not := ""
		if f.Operator == listing.NotIn {
			not = "NOT "
		}
		if len(f.Values) == 0 {
			b.add(not + "FALSE")
			return
		}
		b.add(not+b.column(f.Field)+" IN (?"+strings.Repeat(", ?", len(f.Values)-1)+")", f.Values...)
	case listing.IsEmpty, listing.IsNotEmpty:
		empty := "0"
		if b.columns[f.Field].text {
			empty = "''"
		}
		sign := " = "
		if f.Operator == listing.IsNotEmpty {
			sign = " <> "
		}
		b.add(b.column(f.Field) + sign + empty)
	case listing.Contains, listing.NotContains:
		if f.Operator == listing.NotContains {
			b.add("NOT ")
		}
		b.contains(f.Field, f.Values[0])
	default:
		sign, ok := comparisons[f.Operator]
		if !ok {
			b.err = fmt.Errorf("a list has no operator %q", f.Operator)
			return
		}
		b.add(b.column(f.Field)+" "+sign+" ?", f.Values[0])
	}
}

// contains looks for a part of a text with the letters A to Z in any case. Both
// databases fold no more than those: PostgreSQL by the collation, SQLite at all.
func (b *pageBuilder) contains(field string, part listing.Value) {
	text, _ := part.(string)
	find := "instr"
	if b.dialect == postgresDialect {
		find = "strpos"
	}
	b.add("("+find+"(lower("+b.column(field)+"), ?) > 0)", listing.Fold(text))
}

// from writes the condition that a row is on the page's side of the position.
func (b *pageBuilder) from(order []listing.Order, p listing.Position) {
	b.add("(FALSE")
	for i, o := range order {
		b.add(" OR (")
		for j, before := range order[:i] {
			b.add(b.column(before.Field)+" = ? AND ", p.Values[j])
		}
		sign := " > ?"
		if o.Desc != p.Backward {
			sign = " < ?"
		}
		b.add(b.column(o.Field)+sign+")", p.Values[i])
	}
	if p.Inclusive {
		b.add(" OR (TRUE")
		for i, o := range order {
			b.add(" AND "+b.column(o.Field)+" = ?", p.Values[i])
		}
		b.add(")")
	}
	b.add(")")
}

func (b *pageBuilder) order(order []listing.Order, backward bool) {
	for i, o := range order {
		sign := ", "
		if i == 0 {
			sign = " ORDER BY "
		}
		b.add(sign + b.column(o.Field))
		if o.Desc != backward {
			b.add(" DESC")
		}
	}
}
