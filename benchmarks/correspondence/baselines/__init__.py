"""What a network has to beat: features of sound that were not learned."""
