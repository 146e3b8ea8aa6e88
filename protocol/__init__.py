"""What the article says: nodes, edges, messages and sums. Knows no machine and no Ray."""
