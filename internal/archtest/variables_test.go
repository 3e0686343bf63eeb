package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// checkVariables holds a package's variables to the rule: there are errors,
// assertions, embedded texts and tables, and nothing writes to any of them. A
// table is an array, so that a copy is a copy; a slice or a map could be
// changed by whoever is handed it.
func (c *checker) checkVariables(room string, files []*source) {
	var names []string
	for _, s := range files {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				names = append(names, c.checkVariable(room, v, embedded(g, v))...)
			}
		}
	}
	for _, s := range files {
		if !s.test {
			c.checkWrites(s, names)
		}
	}
}

// embedded says that //go:embed fills the variable.
func embedded(g *ast.GenDecl, v *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{g.Doc, v.Doc} {
		if doc == nil {
			continue
		}
		for _, line := range doc.List {
			if strings.HasPrefix(line.Text, "//go:embed ") {
				return true
			}
		}
	}
	return false
}

// checkVariable checks one declaration, and returns the names that are not to
// be written.
func (c *checker) checkVariable(room string, v *ast.ValueSpec, embedded bool) (names []string) {
	for i, name := range v.Names {
		if name.Name == "_" {
			continue
		}
		names = append(names, name.Name)
		ok := embedded || i < len(v.Values) && (isError(v.Values[i]) || isTable(v.Values[i]))
		if full := room + "." + name.Name; !ok && !c.isExcepted(full) {
			c.violation("%s: package variable %s", c.at(v), name.Name)
		}
	}
	return names
}

func (c *checker) isExcepted(name string) bool {
	for _, e := range excepted {
		if e.name == name {
			c.used[name] = true
			return true
		}
	}
	return false
}

// isError: errors.New(…), fmt.Errorf(…) or cause.Closed(…).
func isError(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && (pkg.Name == "errors" && sel.Sel.Name == "New" || pkg.Name == "fmt" && sel.Sel.Name == "Errorf" ||
		pkg.Name == "cause" && sel.Sel.Name == "Closed")
}

// isTable: a literal of an array.
func isTable(e ast.Expr) bool {
	lit, ok := e.(*ast.CompositeLit)
	if !ok {
		return false
	}
	array, ok := lit.Type.(*ast.ArrayType)
	return ok && array.Len != nil
}

// checkWrites finds assignments to the variables, and addresses of them that
// somebody could write through: a local pointer to a row of a table is for
// reading. A local variable of the same name counts too, and is to be called
// something else.
func (c *checker) checkWrites(s *source, names []string) {
	rows := make(map[string]bool)       // local pointers into a variable
	pointers := make(map[ast.Node]bool) // the expressions that they come from
	report := func(n ast.Node, e ast.Expr) {
		id := root(e)
		if id == nil {
			return
		}
		if _, bare := e.(*ast.Ident); slices.Contains(names, id.Name) || rows[id.Name] && !bare {
			c.violation("%s: %s is written", c.at(n), id.Name)
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, e := range n.Lhs {
				report(n, e)
				if id, ok := e.(*ast.Ident); ok && len(n.Rhs) == len(n.Lhs) && isRow(n.Rhs[i], names) {
					rows[id.Name], pointers[n.Rhs[i]] = true, true
				}
			}
		case *ast.IncDecStmt:
			report(n, n.X)
		case *ast.RangeStmt:
			report(n, n.Key)
			report(n, n.Value)
		case *ast.UnaryExpr:
			if n.Op == token.AND && !pointers[n] {
				report(n, n.X)
			}
		}
		return true
	})
}

// isRow: the address of an element of one of the variables.
func isRow(e ast.Expr, names []string) bool {
	u, ok := e.(*ast.UnaryExpr)
	if !ok || u.Op != token.AND {
		return false
	}
	id := root(u.X)
	_, indexed := u.X.(*ast.IndexExpr)
	return indexed && id != nil && slices.Contains(names, id.Name)
}

// root is the variable that an expression is a part of.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}
