package process

// Background starts the program again as a child in the background.
type Background struct {
	Program string   // the name that messages begin with
	Invoked string   // argv[0]
	Args    []string // the other arguments
	Std     Std
	Signals *Signals
}
