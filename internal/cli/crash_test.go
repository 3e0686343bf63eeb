package cli

func crash(string) int { return 0 }
