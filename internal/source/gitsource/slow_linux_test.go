package gitsource

func setSlow(d *rootDir, slow bool) { d.noOpen2.Store(slow) }
